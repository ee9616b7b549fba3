"""What stands under a run at rest: its outcome as a table, and the way into its models."""

from __future__ import annotations

from functools import partial

import streamlit as st

from rnnviz.charts.before_after import before_after
from rnnviz.charts.outcomes import outcomes
from rnnviz.engine.task import Batch
from rnnviz.experiment import TaskSequence, model_of
from rnnviz.runs import Run
from rnnviz.trained import answers, trained
from rnnviz.training_script import before_after_script, training_script
from rnnviz.ui import cached, lab_words, layout, state
from rnnviz.ui.lab_controls import INSIDE, caption_of
from rnnviz.ui.pages import CELL


def rest(run: Run, batch: Batch, b: int) -> None:
    """The table, and the same sequence before and after training.

    Args:
        run: at rest.
        batch, b: the sequence that the page shows.
    """
    _table(run)
    if any(learning.step for learning in run.learnings):
        _inside(run, batch, b)


def _table(run: Run) -> None:
    ms = [
        1000 * seconds / max(1, learning.step)
        for seconds, learning in zip(run.seconds, run.learnings, strict=True)
    ]
    columns = outcomes(run.learnings, run.job.task.metric, run.job.parameters(), ms)
    title, caption = "Which cell solved it, and at what price?", caption_of(run.job)
    layout.table(
        "outcomes",
        title,
        columns,
        caption,
        lab_words.configuration(run.job),
        partial(training_script, run.job, title, caption),
    )


def _inside(run: Run, batch: Batch, b: int) -> None:
    st.markdown("##### Look inside a trained model")
    specs = [config.spec for config in run.job.configs]
    seeds = run.job.configs[0].seeds
    left, middle, right = st.columns([2, 2, 5], vertical_alignment="bottom")
    with left:
        cell = INSIDE["inside_cell"].draw(
            options={spec.title: k for k, spec in enumerate(specs)}, default=specs[0].title
        )
    with middle:
        seed = INSIDE["inside_seed"].draw(
            options={str(seed): k for k, seed in enumerate(seeds)}, default=str(seeds[0])
        )
    steps = run.saved_steps(cell)
    if st.session_state.setdefault("_lab_saved", (run.id, steps[-1])) != (run.id, steps[-1]):
        st.session_state["_lab_saved"] = run.id, steps[-1]
        state.reset(INSIDE["inside_step"])  # another run, or the same one further on
    with right:
        step = INSIDE["inside_step"].draw(options={f"{s}": s for s in steps}, default=f"{steps[-1]}")
    first, after = (trained(run, cell, seed, at) for at in (steps[0], step))
    caption = f"{after.title} · {caption_of(run.job)} · sequence {b + 1}"
    sequence = TaskSequence(run.job.task.name, run.job.length, b)
    before, now = (cached.trace(model_of(model), sequence) for model in (first, after))
    fig = before_after(
        before,
        now,
        (
            answers(first, sequence, before.states["h"][1:, 0]),
            answers(after, sequence, now.states["h"][1:, 0]),
        ),
        run.job.task.example(batch, b).targets,
        (first.when, after.when),
        caption,
    )
    script = partial(before_after_script, (first, after), sequence, fig.title, caption)
    layout.figure(fig, lab_words.configuration(run.job), script)
    st.page_link(
        CELL.file,
        label="**Open in Inside the cell**",
        icon=CELL.icon,
        query_params={
            "cell_run": run.id,
            "cell_of": specs[cell].title,
            "cell_of_seed": str(seeds[seed]),
            "cell_after": str(step),
            "cell_example": str(b + 1),
        },
    )
