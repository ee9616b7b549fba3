"""How far back: accuracy of every cell against the lag, and at which learning rates one learns at all."""

from functools import partial

import streamlit as st

from rnnviz.charts.figure import Columns
from rnnviz.charts.lags import lags
from rnnviz.charts.sweep_table import by_lag
from rnnviz.charts.trainability import trainability
from rnnviz.engine import CELLS
from rnnviz.engine.outcome import Outcome
from rnnviz.sweep_script import sweep_script
from rnnviz.ui import layout, state, sweep_live
from rnnviz.ui.sweep_controls import FAR, SCHEME_WORDS, Asked, choose_sweep

layout.header(
    "How far back?",
    "One task, ever longer waits: up to where does each cell still learn?",
)


def draw(asked: Asked, there: tuple[Outcome, ...], rest: bool) -> None:
    """The picture that was chosen; at rest with its files, and the same as a table."""
    task, lengths = asked.task, sorted(asked.sweep.lengths)
    if asked.mapped:
        (line,) = asked.lines
        title = CELLS[line[0]].title
        fig = trainability(task, title, lengths, asked.sweep.lrs, there, asked.caption)
    else:
        fig = lags(task, lengths, asked.lines, there, SCHEME_WORDS, asked.caption)
    if not rest:
        layout.picture(fig)
        return
    code = partial(sweep_script, asked.sweep, fig.title, fig.caption)
    layout.figure(fig, asked.configuration, code)
    st.caption(layout.escape(asked.caution))
    if there:
        columns: Columns = by_lag(lengths, there, SCHEME_WORDS, rates=asked.mapped)
        layout.table(
            "how_far_back",
            f"{task.metric.title.capitalize()} at each lag",
            columns,
            "Median over the seeds, and how many of them solved it",
            asked.configuration,
            code,
        )


try:
    with st.sidebar:
        asked = choose_sweep()
except ValueError as problem:
    sweep_live.other(None)
    st.info(layout.escape(str(problem)))
else:
    st.markdown(f"**{layout.escape(asked.task.title)}.** {layout.escape(asked.task.question)}")
    said, start = st.columns([5, 2], vertical_alignment="center")
    with start:
        sweep_live.buttons(asked)
    with said:
        sweep_live.status(asked)
    sweep_live.other(asked)
    sweep_live.picture(asked, partial(draw, asked))

state.check_link(FAR.values())
