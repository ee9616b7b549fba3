"""The table of controls: what a link can say, and that every cell, option, input and scheme can be said."""

import pytest

from rnnviz.engine import CELLS, SCHEMES
from rnnviz.experiment import Input
from rnnviz.ui import controls, flow_controls, flow_far, flow_remedies, flow_spectrum, flow_why, layout
from rnnviz.ui.state import Choice, Control, Fold, Number, Switch, Text

TABLES = {"cell": controls.CELL, "flow": flow_controls.FLOW}
TABS = (flow_far, flow_why, flow_spectrum, flow_remedies)
ALL = [
    layout.PRESENT,
    *(control for table in TABLES.values() for control in table.values()),
    *(control for tab in TABS for control in tab.CONTROLS.values()),
]
each = pytest.mark.parametrize("control", ALL, ids=lambda control: control.key)
# What can be held depends on the cell: tests/pages looks at it for each.
FIXED = [control for control in ALL if control.key != "cell_hold"]
MAY_BE_EMPTY = ("cell_silent", "cell_edits")  # nobody is silenced, nothing is changed


def said(control: Control) -> str:
    """A control's default as a link would say it."""
    return str(control.default).lower() if isinstance(control, Fold | Switch) else str(control.default)


def test_a_key_is_used_once() -> None:
    keys = [control.key for control in ALL]
    assert sorted(keys) == sorted(set(keys))


@pytest.mark.parametrize("prefix", TABLES)
def test_a_key_says_its_page(prefix: str) -> None:
    assert all(control.key.startswith(f"{prefix}_") for control in TABLES[prefix].values())


@pytest.mark.parametrize("control", FIXED, ids=lambda control: control.key)
def test_a_default_is_within_its_own_limits(control: Control) -> None:
    assert control.problem(said(control)) is None
    match control:
        case Number(low=low, high=high, step=step, default=default):
            assert low <= default <= high
            kinds = {type(part) for part in (low, high, step, default)}
            assert len(kinds) == 1, f"Streamlit wants one type, got {kinds}"
            assert (default - low) / step == pytest.approx(round((default - low) / step))
        case Choice(options=options, default=default):
            assert default in options
            assert len(set(options.values())) == len(options) > 1
        case Text(max_chars=most, default=default):
            assert (0 if control.key in MAY_BE_EMPTY else 2) <= len(default) <= most


@each
def test_a_control_has_words(control: Control) -> None:
    assert control.label.strip() == control.label != ""
    assert control.label[0].isupper()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("spec", CELLS.values(), ids=CELLS)
def test_every_option_of_every_cell_has_a_control_with_exactly_its_choices(spec, table) -> None:
    for name, choices in spec.choices:
        assert tuple(table[name].options.values()) == choices
        assert table[name].options[table[name].default] == spec.option(name)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_scheme_can_be_chosen(table) -> None:
    assert set(table["scheme"].options.values()) == set(SCHEMES)


def test_every_cell_can_be_chosen() -> None:
    cell = controls.CELL["cell"]
    assert list(cell.options.values()) == list(CELLS)
    assert [CELLS[name].title for name in cell.options.values()] == list(cell.options)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_input_can_be_drawn(table) -> None:
    for kind in table["input"].options.values():
        drawn = Input(kind, 10, table["text"].default, (1.0, 2.0, 3.0)).signal()
        assert drawn.x.shape[0] >= 2


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_strength_of_a_scheme_has_a_slider_that_it_allows(scheme: str, table) -> None:
    from inspect import signature

    from rnnviz.engine import init_params

    cell = CELLS["lstm"]
    for name in set(list(signature(SCHEMES[scheme]).parameters)[3:]) & set(controls.STRENGTHS):
        for value in (table[name].low, table[name].default, table[name].high):
            init_params(cell, 2, 3, scheme=scheme, **{name: float(value)})
