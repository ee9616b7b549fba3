"""What a link says is answered by a value or by one sentence, whatever it says."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz.ui import controls, flow_controls, layout
from rnnviz.ui.pages import CELL, FLOW
from rnnviz.ui.state import Choice, Control, Number, Text
from tests.pages.visit import pictures, told, values, visit

ALL = [layout.PRESENT, *controls.CELL.values(), *flow_controls.FLOW.values()]
NUMBERS = [control for control in ALL if isinstance(control, Number)]
CHOICES = [control for control in ALL if isinstance(control, Choice)]

HOSTILE = ("", " ", "nan", "NaN", "inf", "-inf", "1e999", "-0", "1e400", "9" * 5000, "0x10", "None", "true")
HOSTILE += ("[1, 2]", "1,5", "1 2", "%00", "\x00", "\ud800", "<script>", "é", "\u202e", "\n", "𝟚", "½")

many = settings(max_examples=400, deadline=None, derandomize=True)
likely = st.one_of(
    st.text(max_size=8000),
    st.integers().map(str),
    st.floats().map(repr),
    st.from_regex(r"[+-]?[0-9_٠-٩]{1,9}(\.[0-9_]*)?([eE][+-]?[0-9]{1,4})?\s?", fullmatch=True),
    st.sampled_from(HOSTILE),
)


@many
@given(st.sampled_from(ALL), likely)
def test_any_string_gives_nothing_or_one_sentence_that_names_the_key(control: Control, raw: str) -> None:
    problem = control.problem(raw)
    if problem is not None:
        assert f"({control.key})" in problem
        assert control.label in problem
        assert problem.endswith(".")
        assert len(problem) < 300
        assert raw in problem or len(raw) > 30 or isinstance(control, Text)


@many
@given(st.sampled_from(NUMBERS), likely)
def test_a_number_that_passes_is_one_within_the_limits(control: Number, raw: str) -> None:
    if control.problem(raw) is None:
        value = float(raw)
        assert math.isfinite(value)
        assert control.low <= value <= control.high
        assert isinstance(control.step, float) or value == int(value)


@many
@given(st.sampled_from(CHOICES), st.text())
def test_only_a_choice_s_own_options_pass(control: Choice, raw: str) -> None:
    assert (control.problem(raw) is None) == (raw in control.options)


@pytest.mark.parametrize("control", CHOICES, ids=lambda control: control.key)
def test_every_option_passes(control: Choice) -> None:
    assert [control.problem(option) for option in control.options] == [None] * len(control.options)


@pytest.mark.parametrize("control", NUMBERS, ids=lambda control: control.key)
def test_a_limit_passes_and_what_is_beyond_does_not(control: Number) -> None:
    for value in (control.low, control.high):
        assert control.problem(str(value)) is None
    for value in (control.low - control.step, control.high + control.step):
        assert str(control.low) in str(control.problem(str(value))) or "allowed" in str(
            control.problem(str(value))
        )
        assert control.problem(str(value)) is not None


# What a link asks for is either shown or answered: never dropped without a word.
ODD = [
    "5",
    "5.0",
    "05",
    "+5",
    " 5",
    "5 ",
    "1e1",
    "1_0",
    "٥",
    "0x10",
    "5.5",
    "-0",
    "",
    "inf",
    "nan",
    "5,0",
    "1e999",
]


@pytest.mark.parametrize("raw", ODD, ids=ascii)
@pytest.mark.parametrize(
    ("page", "key"), [(CELL, "cell_t"), (CELL, "cell_H"), (FLOW, "flow_seed"), (FLOW, "flow_T")]
)
def test_a_whole_number_in_a_link_is_shown_or_answered(page, key: str, raw: str) -> None:
    shown_or_answered(page, key, raw)


@pytest.mark.parametrize("raw", [*ODD, "1.05", "1.07", "1.0000001", "3", "3.0000000001", "1e-3"], ids=ascii)
@pytest.mark.parametrize("key", ["flow_radius", "flow_fbias"])
def test_a_real_number_in_a_link_is_shown_or_answered(key: str, raw: str) -> None:
    shown_or_answered(FLOW, key, raw)


@pytest.mark.parametrize("raw", ["lstm", "LSTM ", "", "GRU", '["GRU"]', "RNN,GRU", "0"])
def test_a_choice_in_a_link_is_shown_or_answered(raw: str) -> None:
    shown_or_answered(CELL, "cell_cell", raw)


def shown_or_answered(page, key: str, raw: str) -> None:
    at = visit(page, **{key: raw})
    assert [error.value for error in at.exception] == []
    assert len(pictures(at)) == 2
    sentences, shown = told(at), values(at)[key]
    if sentences:
        (sentence,) = sentences
        assert f"({key})" in sentence
        default = {control.key: control.default for control in ALL}[key]
        assert shown == default
        assert sentence.endswith("Shown is the default.")
    elif isinstance(shown, str):
        assert shown == raw
    else:
        assert shown == float(raw)


def test_an_unknown_name_is_told_once_and_harms_nothing() -> None:
    at = visit(CELL, cell_cell="GRU", flow_T=9, **{"<script>alert(1)</script>" * 9: 1})
    sentences = told(at)
    assert len(sentences) == 2
    assert all("does not know" in sentence and len(sentence) < 120 for sentence in sentences)
    assert values(at)["cell_cell"] == "GRU"
    assert told(at.run()) == []


def test_a_value_for_a_control_that_is_folded_away_is_answered_too() -> None:
    """The radius has a slider only under one scheme; a link with a bad one must not break it later."""
    at = visit(CELL, cell_radius="abc")
    assert len(pictures(at)) == 2
    at.selectbox(key="cell_init").set_value("Spectral radius").run()
    assert values(at)["cell_radius"] == 1.0
    assert [line for line in told(at) if not re.search(r"\(cell_radius\)", line)] == []
