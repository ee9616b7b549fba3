"""The prepared views on the home page: links that their pages understand whole."""

import runpy
from typing import Any

import pytest
import streamlit as st

from rnnviz import home_record
from rnnviz.ui import (
    cliff_controls,
    controls,
    dyn_controls,
    dyn_machines,
    flow_controls,
    lab_controls,
    one_weight_controls,
    stepper,
    sweep_controls,
)
from rnnviz.ui.pages import CELL, CLIFF, DYNAMICS, FAR, FLOW, LAB, ONE, PAGES, Page
from tests.pages.visit import check_whole, values, visit

TABLES = {
    CELL: controls.CELL,
    FLOW: flow_controls.FLOW,
    LAB: lab_controls.LAB,
    FAR: sweep_controls.FAR,
    ONE: one_weight_controls.ONE,
    CLIFF: cliff_controls.CLIFF,
    DYNAMICS: {**dyn_controls.DYN, **dyn_machines.MACHINES},
}
# A lecture run in the lab: two curves, a sequence, two of gradients, their reach, before and after.
# The cliff's surface is Plotly's, and not among those that are counted; a machine has a stepper and its tape.
PICTURES = {CELL: 2, FLOW: 2, LAB: 7, FAR: 1, ONE: 1, CLIFF: 1, DYNAMICS: 2}


def prepared() -> tuple[tuple[Page, str, str, dict[str, str]], ...]:
    """VIEWS, by running the page with its picture left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stepper, "stepper", lambda *args, **kwargs: None)
        patch.setattr(st, "page_link", lambda *args, **kwargs: None)
        names: dict[str, Any] = runpy.run_path(str(PAGES[0].file))
    views: tuple[tuple[Page, str, str, dict[str, str]], ...] = names["VIEWS"]
    return views


VIEWS = prepared()
each = pytest.mark.parametrize(("page", "title", "sentence", "query"), VIEWS, ids=[view[1] for view in VIEWS])


@each
def test_a_link_says_only_what_its_page_knows(page: Page, title: str, sentence: str, query) -> None:
    known = {control.key: control for control in TABLES[page].values()}
    assert query.keys() <= known.keys()
    assert {key: known[key].problem(value) for key, value in query.items()} == dict.fromkeys(query)
    same = {key for key, value in query.items() if value == str(known[key].default)}
    assert not same, "what stands at its default leaves the address, and the link with it"


@each
def test_a_link_opens_without_a_word_and_holds_every_value(page, title, sentence, query) -> None:
    at = visit(page, **query)
    check_whole(at, count=PICTURES[page])
    held = {key: at.session_state[key] for key in query if key not in values(at)}
    shown = {key: str(value) for key, value in (values(at) | held).items()}
    assert {key: float(v) if is_number(v) else v for key, v in query.items()} == {
        key: float(shown[key]) if is_number(shown[key]) else shown[key] for key in query
    }


@each
def test_a_card_has_words(page, title, sentence, query) -> None:
    assert title.strip()
    assert sentence.strip()[-1] in ".?!"


def test_titles_differ() -> None:
    assert len({view[1] for view in VIEWS}) == len(VIEWS)


def test_the_first_card_is_the_run_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    page, _, _, query = VIEWS[0]
    assert page is CELL
    made: list[Any] = []
    real = controls.choose_model, controls.choose_input

    def model(*args: Any) -> Any:
        made.append(real[0](*args))
        return made[-1]

    def source(*args: Any) -> Any:
        made.append(real[1](*args))
        return made[-1]

    monkeypatch.setattr(controls, "choose_model", model)
    monkeypatch.setattr(controls, "choose_input", source)
    check_whole(visit(CELL, **query))
    (found,), given = made
    assert found == home_record.MODEL
    assert given.kind == "text"
    assert given.text[: given.steps] == home_record.TEXT


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
