"""Where a visitor stands in the stepper: held in the session, said by the link, reported by the browser."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from rnnviz.ui import controls
from rnnviz.ui.pages import CELL, FLOW, PAGES
from rnnviz.ui.state import Choice, Control
from tests.pages.visit import (
    HELD,
    check_whole,
    figures,
    go,
    move,
    pictures,
    quiet_log,
    sent,
    set_control,
    told,
    values,
    visit,
)

DEFAULT = {
    "cell_t": 17,
    "cell_unit": 3,
    "cell_stage": 0,
    "cell_direction": "forward",
    "cell_view": "cell",
    "cell_scale": "auto",
}
ELSEWHERE = {
    "cell_t": 5,
    "cell_unit": 12,
    "cell_stage": 4,
    "cell_direction": "backward",
    "cell_view": "unrolled",
    "cell_scale": "log",
}
CURSOR = {"t": 5, "unit": 12, "stage": 4, "back": True, "view": "unrolled", "scale": "log"}
CONTROLS = {key: controls.CELL[name] for key, name in HELD.items()}
each = pytest.mark.parametrize("key", HELD)


def place(at: AppTest) -> dict[str, Any]:
    return {key: value for key, value in values(at).items() if key in HELD}


def start(at: AppTest) -> dict[str, Any]:
    """Where the browser is told to begin."""
    found: dict[str, Any] = sent(at).head["start"]
    return found


def link(at: AppTest) -> dict[str, str]:
    """What the address says of the place."""
    return {key: value for key, value in at.query_params.items() if key in HELD}


def said(held: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in held.items()}


def elsewhere(control: Control) -> str:
    """A good value that is not the default, as a link says it."""
    return str(ELSEWHERE[control.key])


def test_the_component_holds_these() -> None:
    assert set(HELD) == set(DEFAULT)
    assert set(HELD.values()) == set(CURSOR)


# Links ------------------------------------------------------------------------------------------------


def test_nothing_in_the_link_is_the_default_and_stays_nothing() -> None:
    at = visit(CELL)
    check_whole(at)
    assert place(at) == DEFAULT
    assert link(at) == {}


def test_what_the_link_says_is_held_and_told_to_the_browser() -> None:
    at = visit(CELL, **ELSEWHERE)
    check_whole(at)
    assert place(at) == ELSEWHERE
    assert start(at) == CURSOR
    assert link(at) == said(ELSEWHERE)
    assert figures(at)[0]["description"].startswith("Unit 12")


@each
def test_one_value_in_the_link_leaves_the_others_alone(key: str) -> None:
    at = visit(CELL, **{key: elsewhere(CONTROLS[key])})
    check_whole(at)
    assert place(at) == {**DEFAULT, key: ELSEWHERE[key]}
    assert link(at) == {key: elsewhere(CONTROLS[key])}


@each
def test_the_default_leaves_the_link(key: str) -> None:
    at = visit(CELL, **{key: DEFAULT[key]})
    check_whole(at)
    assert place(at) == DEFAULT
    assert link(at) == {}


def test_every_choice_can_be_said() -> None:
    for key, control in CONTROLS.items():
        if isinstance(control, Choice):
            for option in control.options:
                at = visit(CELL, **{key: option})
                check_whole(at)
                assert place(at) == {**DEFAULT, key: option}


BAD = ("", "abc", "nan", "inf", "-1", "401", "5.5", "1e999", "9" * 5000, "None", "\x00", "🙂", "TRUE", "[1]")


@each
@pytest.mark.parametrize("raw", BAD, ids=lambda raw: ascii(raw[:9]))
def test_a_bad_value_gives_the_default_and_a_sentence(key: str, raw: str) -> None:
    at = visit(CELL, **{key: raw})
    assert [error.value for error in at.exception] == []
    assert len(pictures(at)) == 2
    (sentence,) = told(at)
    assert f"({key})" in sentence
    assert sentence.endswith("Shown is the default.")
    assert place(at) == DEFAULT
    assert link(at) == {}
    at.run()
    check_whole(at)  # told once


@each
@pytest.mark.parametrize("again", [False, True], ids=["another", "the same"])
def test_a_value_twice_gives_the_default_and_a_sentence(key: str, again: bool) -> None:
    value = elsewhere(CONTROLS[key])
    at = visit(CELL, **{key: [value if again else str(DEFAULT[key]), value]})
    (sentence,) = told(at)
    assert "2 times" in sentence
    assert f"({key})" in sentence
    assert len(pictures(at)) == 2
    assert place(at) == DEFAULT
    assert start(at) == {HELD[k]: v if k != "cell_direction" else False for k, v in DEFAULT.items()}
    assert link(at) == {}


@pytest.mark.parametrize(
    ("held", "run"),
    [
        ({"cell_t": 26}, {}),
        ({"cell_t": 9}, {"cell_text": "the sky"}),
        ({"cell_unit": 13}, {}),
        ({"cell_unit": 3}, {"cell_H": 2}),
        ({"cell_unit": 2}, {"cell_H": 1}),
        ({"cell_stage": 5}, {}),
        ({"cell_stage": 4}, {"cell_cell": "GRU"}),
        ({"cell_stage": 3}, {"cell_cell": "RNN"}),
    ],
    ids=lambda part: "-".join(f"{k}{v}" for k, v in part.items()),
)
def test_a_link_s_place_holds_within_the_link_s_run_only(held: dict[str, int], run: dict[str, Any]) -> None:
    at = visit(CELL, **held, **run)
    (key,) = held
    (sentence,) = told(at)
    assert f"({key})" in sentence
    assert len(pictures(at)) == 2
    assert key not in link(at)


# Limits that move -------------------------------------------------------------------------------------


def test_the_place_follows_limits_that_shrink_and_so_does_the_link() -> None:
    with quiet_log():
        at = visit(CELL, cell_t=25, cell_unit=12, cell_stage=4)
        set_control(at, "cell_text", "the clouds are in the")
        check_whole(at)
        assert link(at) == {"cell_t": "21", "cell_unit": "12", "cell_stage": "4"}
        set_control(at, "cell_H", 5)
        check_whole(at)
        assert link(at) == {"cell_t": "21", "cell_unit": "5", "cell_stage": "4"}
        set_control(at, "cell_cell", "GRU")
        check_whole(at)
        assert link(at) == {"cell_t": "21", "cell_unit": "5", "cell_stage": "3"}
        set_control(at, "cell_cell", "RNN")
        check_whole(at)
        assert link(at) == {"cell_t": "21", "cell_unit": "5", "cell_stage": "2"}
        # Where the default itself does not fit, it moves too: the link says nothing of t and unit any more.
        set_control(at, "cell_H", 1)
        set_control(at, "cell_text", "the cloud")
        check_whole(at)
        assert (values(at)["cell_t"], values(at)["cell_unit"]) == (9, 1)
        assert link(at) == {"cell_stage": "2"}


def test_limits_that_grow_leave_the_place() -> None:
    at = visit(CELL, cell_text="the cloud", cell_t=9, cell_unit=5, cell_H=5)
    set_control(at, "cell_text", "the clouds are in the sky")
    set_control(at, "cell_H", 12)
    check_whole(at)
    assert link(at) == {"cell_t": "9", "cell_unit": "5"}


# Reports ----------------------------------------------------------------------------------------------


def test_where_the_visitor_went_is_held_and_in_the_link() -> None:
    at = move(visit(CELL), CURSOR)
    check_whole(at)
    assert place(at) == ELSEWHERE
    assert link(at) == said(ELSEWHERE)
    at.run()
    check_whole(at)
    assert place(at) == ELSEWHERE
    assert figures(at)[0]["description"].startswith("Unit 12")


def test_back_at_the_default_the_link_is_empty() -> None:
    at = visit(CELL, **ELSEWHERE)
    move(at, {"t": 17, "unit": 3, "stage": 0, "back": False, "view": "cell", "scale": "auto"})
    check_whole(at)
    assert place(at) == DEFAULT
    assert link(at) == {}


def test_what_a_report_leaves_out_stays() -> None:
    at = move(visit(CELL, **ELSEWHERE), {"t": 6})
    check_whole(at)
    assert place(at) == {**ELSEWHERE, "cell_t": 6}
    for empty in ({}, None):
        check_whole(move(at, empty))
        assert place(at) == {**ELSEWHERE, "cell_t": 6}


NONSENSE = ("x", "7", "", None, 1e99, 10**400, 5.5, -3, float("nan"), [], [1], {}, {"t": 1}, "🙂" * 500)
WRONG_KIND = {"back": ("x", None, 5, []), "view": (True, 1), "scale": (True, 1), "t": (True,), "unit": (0,)}


@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: ascii(value)[:12])
@pytest.mark.parametrize("name", CURSOR)
def test_nonsense_is_not_taken_over(name: str, value: Any) -> None:
    refuse({name: value})


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG_KIND.items() for v in values])
def test_a_value_of_another_kind_is_not_taken_over(name: str, value: Any) -> None:
    refuse({name: value})


@pytest.mark.parametrize("report", ["x", "t", 5, True, [], ["t"], {"nobody": 1, "__proto__": 2}], ids=repr)
def test_a_report_that_is_none_is_not_taken_over(report: Any) -> None:
    refuse(report)


def refuse(report: Any) -> None:
    at = visit(CELL, **ELSEWHERE)
    before = sent(at).data
    move(at, report)
    check_whole(at)
    assert place(at) == ELSEWHERE
    assert link(at) == said(ELSEWHERE)
    assert sent(at).data == before


def test_what_is_good_in_a_bad_report_is_taken_over() -> None:
    at = move(visit(CELL), {"t": 6, "unit": "x", "view": "tower", "scale": "log"})
    check_whole(at)
    assert link(at) == {"cell_t": "6", "cell_scale": "log"}


def test_a_whole_number_is_held_as_one_however_it_is_written() -> None:
    at = move(visit(CELL), {"t": 6.0, "unit": 2.0, "stage": 1.0})
    check_whole(at)
    assert link(at) == {"cell_t": "6", "cell_unit": "2", "cell_stage": "1"}


def test_a_report_beyond_the_run_ends_at_its_end() -> None:
    at = move(visit(CELL), {"t": 300, "unit": 60, "stage": 9})
    check_whole(at)
    assert place(at) == {**DEFAULT, "cell_t": 25, "cell_unit": 12, "cell_stage": 4}


# What the browser is sent -------------------------------------------------------------------------------


def test_a_walk_sends_the_browser_nothing_anew() -> None:
    at = visit(CELL, cell_t=5)
    once = sent(at).data
    for cursor in ({"t": 6}, {"t": 6, "unit": 9}, {**CURSOR, "t": 25}, {"t": 17, "unit": 3}):
        move(at, cursor)
        check_whole(at)
        assert sent(at).data == once
    at.run()
    assert sent(at).data == once


def test_another_run_begins_where_the_browser_is_told_once() -> None:
    """The browser keeps its own place when the run changes; were its start sent anew, it would jump."""
    at = move(visit(CELL, cell_t=5), CURSOR)
    before = start(at)
    set_control(at, "cell_seed", 5)
    check_whole(at)
    assert start(at) == before
    assert place(at) == ELSEWHERE


def test_a_page_left_and_found_again_keeps_its_place() -> None:
    with quiet_log():
        at = move(visit(CELL), CURSOR)
        for page in (FLOW, PAGES[0]):
            go(at, page)
            assert told(at) == []
            assert link(at) == {}
        go(at, CELL)
        check_whole(at)
    assert place(at) == ELSEWHERE
    assert start(at) == CURSOR, "a browser that comes anew begins there"
    assert link(at) == said(ELSEWHERE)


def test_two_visitors_stand_where_they_stand() -> None:
    here, there = visit(CELL, cell_t=5), visit(CELL, cell_t=6)
    move(here, {"t": 7})
    there.run()
    assert (place(here)["cell_t"], place(there)["cell_t"]) == (7, 6)
