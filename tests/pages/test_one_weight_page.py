"""One weight without a browser: its links, what it refuses, and where its numbers come from."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from rnnviz.charts.one_weight_positions import PHIS, SIZES, TAUS, WEIGHTS
from rnnviz.one_weight import SHAPES
from rnnviz.ui.one_weight_controls import ONE
from rnnviz.ui.pages import ONE as PAGE
from tests.pages.visit import quiet_log, set_control, told, visit

HELD = {"w": 0.9, "tau": 20, "back": 19, "size": 0.25, "phi": "identity", "axis": "10"}


def spec_of(at: AppTest) -> dict:
    (chart,) = at.get("vega_lite_chart")
    return json.loads(chart.proto.spec)


def begun(at: AppTest) -> dict:
    """What the figure's sliders begin with."""
    given = {param["name"].removeprefix("one_"): param.get("value") for param in spec_of(at)["params"]}
    return {name: given[name] for name in HELD}


def rows(at: AppTest) -> dict[str, list]:
    (chart,) = at.get("vega_lite_chart")
    (data,) = [dataset.data.data for dataset in chart.proto.datasets if dataset.name == "rows"]
    return pa.ipc.open_stream(io.BytesIO(data)).read_all().to_pydict()


def shown(at: AppTest, run: int, tau: int) -> dict:
    """The row of one position, its lists opened."""
    table = rows(at)
    (k,) = [k for k, pair in enumerate(zip(table["run"], table["tau"], strict=True)) if pair == (run, tau)]
    return {
        name: [float(word) for word in column[k].split(" ")] if isinstance(column[k], str) else column[k]
        for name, column in table.items()
    }


def report(at: AppTest, held: object) -> AppTest:
    """Let the sliders say what they hold, over the way that their message takes, and run the page."""
    (part,) = [p.proto for p in at.get("bidi_component") if p.proto.component_name == "rnnviz_scrub"]
    state = at._tree.get_widget_states()
    state.widgets.add(id=part.id, json_value=json.dumps({"held": held}))
    return at._run(state)


def linked(at: AppTest, name: str) -> str | None:
    """What the link says now."""
    given = at.query_params.get(f"one_{name}")
    return given[0] if isinstance(given, list) else given


def whole(at: AppTest) -> None:
    assert [error.value for error in at.exception] == []
    assert told(at) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_every_input_with_a_link(shape: str) -> None:
    with quiet_log():
        at = visit(PAGE, one_input=shape.capitalize(), one_y=2.5)
        whole(at)
        assert begun(at) == HELD
        set_control(at, "one_y", -5.0)
        whole(at)


def test_a_link_holds_the_sliders() -> None:
    link = {"w": -1.05, "tau": 7, "back": 2, "size": 2.0, "phi": "tanh", "axis": "log"}
    with quiet_log():
        at = visit(
            PAGE, **{f"one_{name}": f"{v:g}" if isinstance(v, float) else v for name, v in link.items()}
        )
    whole(at)
    assert begun(at) == link


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("w", "0.93", "allowed: -1.5 to 1.5 in steps of 0.05"),
        ("w", "nan", "allowed: -1.5 to 1.5"),
        ("w", "2", "allowed: -1.5 to 1.5"),
        ("w", "one", "allowed: -1.5 to 1.5"),
        ("w", "", "allowed: -1.5 to 1.5"),
        ("tau", "1", "allowed: 2 to 20"),
        ("tau", "7.5", "allowed: whole numbers from 2 to 20"),
        ("tau", "inf", "allowed: 2 to 20"),
        ("back", "-1", "allowed: 0 to 19"),
        ("size", "0.3", "allowed: 0.25, 0.5, 1, 2"),
        ("size", "1.0", "allowed: 0.25, 0.5, 1, 2"),
        ("phi", "relu", "allowed: identity, tanh"),
        ("axis", "20", "allowed: 2, 10, 50, log"),
        ("input", "Sine", "allowed: Impulse, Constant, Alternating, Noise"),
        ("y", "9", "allowed: -5 to 5"),
        ("y", "nan", "allowed: -5 to 5"),
    ],
)
def test_a_wrong_value_gets_one_sentence_and_the_default(key: str, value: str, allowed: str) -> None:
    at = visit(PAGE, **{f"one_{key}": value})
    assert [error.value for error in at.exception] == []
    (sentence,) = told(at)
    assert sentence.startswith(f"{ONE[key].label} in the link (one_{key}) is “{value}”; {allowed}.")
    assert begun(at) == HELD


def test_what_the_browser_says_goes_into_the_link_and_leaves_the_chart_alone() -> None:
    at = visit(PAGE)
    before = spec_of(at)
    report(at, {"one_w": "-1", "one_tau": "5", "one_size": "2", "one_phi": "tanh", "one_axis": "log"})
    whole(at)
    assert {name: linked(at, name) for name in HELD} == {
        "w": "-1",
        "tau": "5",
        "back": None,
        "size": "2",
        "phi": "tanh",
        "axis": "log",
    }
    assert spec_of(at) == before, "the browser keeps its own place"
    report(at, {"one_w": "0.9"})
    assert linked(at, "w") is None, "a default leaves the link"


@pytest.mark.parametrize(
    "held",
    [
        None,
        3,
        [],
        {"one_w": 0.5},
        {"one_w": "0.93"},
        {"one_w": "nan"},
        {"one_tau": "99"},
        {"other": "1"},
        {"one_phi": "relu"},
        {"one_size": None},
        {"one_w": {"a": 1}},
    ],
    ids=str,
)
def test_nonsense_from_the_browser_changes_nothing(held: object) -> None:
    at = visit(PAGE, one_w="1.1")
    report(at, held)
    whole(at)
    assert linked(at, "w") == "1.1"
    assert at.session_state["one_w"] == 1.1


@pytest.mark.parametrize(
    ("w", "phi", "tau", "size"), [(1.0, 0, 20, 3), (-1.5, 1, 20, 2), (0.0, 0, 2, 0), (0.5, 1, 9, 1)]
)
def test_the_page_s_numbers_are_those_of_a_loop(w: float, phi: int, tau: int, size: int) -> None:
    at = visit(PAGE, one_input="Alternating", one_y=0.5)
    run = (phi * len(WEIGHTS) + WEIGHTS.index(w)) * len(SIZES) + size
    row = shown(at, run, tau)
    f = [lambda a: a, np.tanh][phi]
    h = [0.0]
    for t in range(tau):
        h.append(f(w * h[-1] + SIZES[size] * (-1) ** t))
    slope = [1.0 if phi == 0 else 1 - v * v for v in h[1:]]
    p = [h[-1] - 0.5]
    for t in range(tau - 1, 0, -1):
        p.insert(0, w * slope[t] * p[0])
    terms = [a * b * c for a, b, c in zip(p, slope, h[:-1], strict=True)]
    np.testing.assert_allclose(row["p"], p, rtol=6e-4)
    np.testing.assert_allclose(row["term"], terms, rtol=6e-4)
    total = sum(terms)
    size_of = sum(map(abs, terms)) or 1.0
    for name in ("total", "autograd") + (("closed",) if phi == 0 else ()):
        assert abs(row[name] - total) <= 1e-12 * size_of
    assert (PHIS[phi] == "tanh") == np.isnan(row["closed"] if row["closed"] is not None else np.nan)


def test_what_the_browser_gets_stays_small() -> None:
    at = visit(PAGE)
    (chart,) = at.get("vega_lite_chart")
    assert len(rows(at)["run"]) == len(PHIS) * len(WEIGHTS) * len(TAUS) * len(SIZES)
    assert sum(len(dataset.data.data) for dataset in chart.proto.datasets) < 3e6
