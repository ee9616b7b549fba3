"""The Memory lab's lecture runs: the way to them, and what each shows."""

from __future__ import annotations

import streamlit as st

from rnnviz.lectures import LECTURES, lecture_of
from rnnviz.runs import Run
from rnnviz.runs.run import FINISHED
from rnnviz.ui import layout, state
from rnnviz.ui.lab_controls import LAB as CONTROLS
from rnnviz.ui.lab_link import link_of
from rnnviz.ui.pages import LAB


def menu() -> None:
    """All of them, folded away; once one is chosen they fold again."""
    shown = st.query_params.get(CONTROLS["run"].key, "")
    with st.expander("Lecture runs", icon=":material/school:", key=f"lab_lectures_{shown}"):
        for lecture in LECTURES:
            st.page_link(LAB.file, label=lecture.title, query_params=link_of(lecture.job))
    _follow(shown)


def _follow(run: str) -> None:
    """On the page itself a link leaves what it does not name as it was; one to a run means the defaults."""
    if not run or run == st.session_state.get(CONTROLS["run"].key):
        return
    for control in CONTROLS.values():
        here = control.key in st.session_state and control.key not in st.query_params
        if here and control.fallback is not None and st.session_state[control.key] != control.fallback:
            state.set_to(control, control.fallback)


def story(run: Run | None) -> None:
    """What a run shows and what it does not, where it is a lecture's and at its end."""
    lecture = lecture_of(run.key) if run and run.status == FINISHED else None
    if lecture:
        st.caption(layout.escape(lecture.shows))
