"""A model out of the Memory lab, on a page that otherwise draws its weights from a seed."""

from __future__ import annotations

import streamlit as st

from rnnviz.engine.validation import sequences
from rnnviz.experiment import Model, TaskSequence, model_of
from rnnviz.trained import answers, trained
from rnnviz.ui import cached, layout, state
from rnnviz.ui.state import Choice, Control, Number
from rnnviz.ui.stops import HeldText, Stops

TABLE: dict[str, Control] = {
    "run": HeldText("cell_run", "Trained run", "", max_chars=21),
    "of": Choice("cell_of", "Cell", "", options={}),
    "seed": Choice("cell_of_seed", "Seed", "", options={}),
    "after": Stops("cell_after", "After training step", "", options={}),
    "example": Number("cell_example", "Sequence", 1, "One of those that runs are judged by.", 1, 50, 1),
}
# What comes only with a run.
LATER = [control for name, control in TABLE.items() if name != "run"]


def choose() -> tuple[Model, TaskSequence] | None:
    """Draw the controls of the model that the link names; None where it names none that is here."""
    asked = TABLE["run"].draw()
    if not asked:
        return None
    from rnnviz.runs import pool  # starts the workers, which this page alone does not need

    try:
        run, why = pool().find(asked), ""
    except ValueError as error:
        run, why = None, f" {error}"
    if run is None or not all(run.weights):
        state.note(
            f"Trained run in the link (cell_run) is “{asked}”, which this server does not have.{why} "
            "The Memory lab trains it again. Shown are weights from a seed."
        )
        _leave()
        return None
    job = run.job
    st.markdown(layout.escape(f"From the Memory lab: {job.task.title}, length {job.length}"))
    specs, seeds = [config.spec for config in job.configs], job.configs[0].seeds
    cell = TABLE["of"].draw(options={spec.title: k for k, spec in enumerate(specs)}, default=specs[0].title)
    seed = TABLE["seed"].draw(options={str(seed): k for k, seed in enumerate(seeds)}, default=str(seeds[0]))
    steps = run.saved_steps(cell)
    step = TABLE["after"].draw(options={str(s): s for s in steps}, default=str(steps[-1]))
    count = sequences(job.task, job.length).x.shape[1]
    index = TABLE["example"].draw(high=min(50, count)) - 1
    st.button("Weights from a seed instead", key="cell_leave", on_click=_leave, width="stretch")
    return model_of(trained(run, cell, seed, step)), TaskSequence(job.task.name, job.length, index)


def answer(model: Model, sequence: TaskSequence) -> str:
    """What the model says on this sequence, for its caption; nothing where it is asked often."""
    assert model.trained is not None
    h = cached.trace(model, sequence).states["h"][1:, 0]
    given = [text for text in answers(model.trained, sequence, h) if text]
    return f" · the model answers {', '.join(given)}" if len(given) <= 3 else ""


def _leave() -> None:
    for control in TABLE.values():
        st.session_state.pop(control.key, None)
        st.query_params.pop(control.key, None)
    st.session_state[TABLE["run"].key] = ""
