"""Memory lab: train RNN, LSTM and GRU side by side on a memory task, and watch which one learns."""

from functools import partial

import streamlit as st

from rnnviz.charts.example import example
from rnnviz.engine.validation import sequences
from rnnviz.runs import pool
from rnnviz.training_script import example_script
from rnnviz.ui import lab, lab_inside, lab_lectures, lab_words, layout, state
from rnnviz.ui.lab_controls import INSIDE, LAB, choose_job

layout.header(
    "Memory lab",
    "One task, the same sequences for every cell: press Start, and watch which one learns.",
)
with st.sidebar:
    lab_lectures.menu()
    job = choose_job()
    index = LAB["example"].draw()
runs = pool()
run = lab.shown(runs, job)
shown = run.job if run else job

if shown is None:
    st.info("No cell is chosen; choose at least one on the left.")
else:
    task, batch = shown.task, sequences(shown.task, shown.length)
    b = (index - 1) % batch.x.shape[1]
    fig = example(task, batch, b, f"{task.source}. Sequence {b + 1} of those that runs are judged by")
    sequence = partial(
        layout.figure,
        fig,
        lab_words.configuration(shown),
        partial(example_script, shown, b, fig.title, fig.caption),
    )
    words, start = st.columns([5, 3], vertical_alignment="center")
    with words:
        st.markdown(f"**{layout.escape(task.title)}.** {layout.escape(task.question)}")
        lab_lectures.story(run)
    with start:
        lab.buttons(runs, run, job)
    lab.others(runs, run)
    if run is None:
        sequence()
        lab_words.promise(shown)
    else:
        if run.job != job:
            st.info(lab_words.differing(run.job, job))
        lab.live(runs, run, sequence, partial(lab_inside.rest, run, batch, b))

state.check_link(LAB.values(), later=INSIDE.values())
