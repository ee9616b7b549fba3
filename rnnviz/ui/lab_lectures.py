"""The Memory lab's lecture runs: the way to them, and what each shows."""

from __future__ import annotations

import streamlit as st

from rnnviz.lectures import LECTURES, lecture_of
from rnnviz.runs import Run
from rnnviz.runs.run import FINISHED
from rnnviz.ui import layout
from rnnviz.ui.lab_controls import LAB as CONTROLS
from rnnviz.ui.lab_link import link_of
from rnnviz.ui.pages import LAB


def menu() -> None:
    """All of them, behind one button."""
    shown = st.query_params.get(CONTROLS["run"].key, "")  # a new one is closed
    with st.popover("Lecture runs", icon=":material/school:", width="stretch", key=f"lab_lectures_{shown}"):
        for lecture in LECTURES:
            st.page_link(LAB.file, label=lecture.title, query_params=link_of(lecture.job))


def story(run: Run | None) -> None:
    """What a run shows and what it does not, where it is a lecture's and at its end."""
    lecture = lecture_of(run.key) if run and run.status == FINISHED else None
    if lecture:
        st.caption(layout.escape(lecture.shows))
