"""Home: a real run that is already alive, and links to prepared views."""

import streamlit as st

from rnnviz.ui import layout, state, stepper
from rnnviz.ui.pages import CELL, CLIFF, DYNAMICS, FAR, FLOW, LAB, ONE, Page

RUN = {"cell_init": "Spectral radius", "cell_radius": "1.5"}
VIEWS: tuple[tuple[Page, str, str, dict[str, str]], ...] = (
    (CELL, "A sentence, letter by letter", "The run above, with its equations and their numbers.", RUN),
    (
        CELL,
        "Sunspots through a GRU",
        "Three centuries of a real series: which units follow the eleven-year cycle?",
        {"cell_cell": "GRU", "cell_input": "Sunspots", "cell_T": "150", "cell_t": "80"},
    ),
    (
        CELL,
        "The echo of one impulse",
        "A linear RNN with an orthogonal matrix: nothing is lost, nothing is forgotten.",
        {
            "cell_cell": "RNN",
            "cell_activation": "identity",
            "cell_input": "Impulse",
            "cell_init": "Orthogonal",
        },
    ),
    (
        ONE,
        "One weight, worked out by hand",
        "The lecture's sum, a bar a term: push w over 1, and see who decides.",
        {"one_w": "1.05", "one_axis": "50"},
    ),
    (
        FLOW,
        "Vanishing",
        "The same loss, three cells: where does the gradient fall below what a float can hold?",
        {"flow_radius": "0.5", "flow_T": "150"},
    ),
    (
        FLOW,
        "Exploding",
        "A linear RNN whose matrix is a little too large, and a hundred steps.",
        {"flow_radius": "1.2", "flow_activation": "identity"},
    ),
    (
        FLOW,
        "The forget gate as a motorway",
        "Raise its bias, and the cell state carries the gradient home.",
        {"flow_fbias": "5"},
    ),
    (
        CLIFF,
        "A wall in the error",
        "One unit, two parameters: gradient descent meets the cliff, with clipping and without.",
        {"cliff_lr": "1"},
    ),
    (
        DYNAMICS,
        "A network that counts",
        "An LSTM that knows aⁿbⁿ exactly, stepped with weights that a person wrote.",
        {"dyn_tab": "Machines", "dyn_mach_name": "Counter for aⁿbⁿ, an LSTM"},
    ),
    (
        LAB,
        "Two numbers, 150 steps apart",
        "The adding problem, trained beforehand: GRU, LSTM and RNN do not find it equally soon.",
        {"lab_T_adding": "150", "lab_steps": "2000"},
    ),
    (
        LAB,
        "A bias that remembers",
        "Recall after 200 steps: told how long to remember, the gates learn it at once.",
        {"lab_task": "Delayed recall", "lab_T_recall": "200", "lab_init": "Chrono", "lab_t_max": "200"},
    ),
    (
        FAR,
        "Which learning rate reaches how far?",
        "The trainability map: lag against learning rate, one tile a training.",
        {"far_picture": "Trainability map"},
    ),
)

layout.header(
    "Recurrent networks, from the inside",
    "An LSTM with random weights reads a sentence. Watch what it keeps, writes and shows.",
)
run = (layout.ASSETS / "home.bin").read_bytes()
stepper.stepper(run, key="living")

for row in (VIEWS[:3], VIEWS[3:6], VIEWS[6:9], VIEWS[9:]):
    for column, (page, title, sentence, query) in zip(st.columns(3), row, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.page_link(page.file, label=f"**{title}**", icon=page.icon, query_params=query)
            st.caption(sentence)

state.check_link(())
