"""What the Memory lab says of a run, and of one that has not begun."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from rnnviz.charts.courses import divergence_words
from rnnviz.lectures import lecture_of
from rnnviz.run_file import versions
from rnnviz.runs import Job, Pool, Run
from rnnviz.runs.run import DIED, FINISHED, PAUSED, QUEUED, RUNNING
from rnnviz.ui import layout


def configuration(job: Job) -> dict[str, object]:
    """What a run's files are named after."""
    first = job.configs[0]
    return {
        "": first.task,
        "T": job.length,
        "H": first.hidden_size,
        first.optimizer: first.lr,
        "seeds": len(first.seeds),
        "from": first.seeds[0],
    }


def said(pool: Pool, run: Run) -> str:
    """Where a run stands, in a sentence."""
    step, steps = run.step, run.job.configs[0].steps
    if run.status == QUEUED:
        ahead = pool.ahead(run) or 0
        before = f"{ahead} run{'s' if ahead > 1 else ''} before this one" if ahead else "this one is next"
        return f"In the queue: {before}. It starts by itself."
    if run.status == RUNNING:
        left = run.seconds_left()
        return f"Step {step:,} of {steps:,}" + ("" if left is None else f" · about {time_words(left)} left")
    if run.status == PAUSED:
        return f"Paused after step {step:,}. Resume goes on from here, to the bit."
    if run.status == DIED:
        kept = min((checkpoint.step for checkpoint in run.checkpoints), default=0)
        if run.elsewhere:
            return f"{run.why} Its last record here is of step {step:,}."
        return f"{run.why} The last record is of step {step:,}; Resume goes on from step {kept:,}."
    if run.status == FINISHED and all(len(v.diverged) == len(v.config.seeds) for v in run.learnings):
        return f"Stopped at step {step:,}: every model diverged."
    if run.status == FINISHED and lecture_of(run.key) and not pool.store.path(run.key).exists():
        return f"Trained beforehand, {step:,} steps; Train again does it before your eyes."
    if run.status == FINISHED:
        took = f"{time_words(sum(run.seconds))} of training"
        return f"Finished after {step:,} steps and {took}{_elsewhere(run)}.{_brought(run)}"
    return f"Cancelled after step {step:,}; what it showed until then is kept."


def _brought(run: Run) -> str:
    return " Brought as a file: the numbers are what it says." if run.brought else ""


def _elsewhere(run: Run) -> str:
    """By which other versions it was trained, if so: they may round in other ways."""
    here = versions()
    other = [
        f"{name} {run.versions[name]}" for name in here if run.versions.get(name, here[name]) != here[name]
    ]
    return f", with {', '.join(other)}" if other else ""


def promise(job: Job) -> None:
    """What Start would do, while nothing has been trained yet."""
    task, parameters = job.task, job.parameters()
    sizes = ", ".join(
        f"{config.spec.title} {count:,} (H = {config.hidden_size})"
        for config, count in zip(job.configs, parameters, strict=True)
    )
    baseline = task.baseline(job.length)
    st.caption(
        layout.escape(
            f"Start trains {len(job.configs[0].seeds)} models of each cell. Parameters: {sizes}. "
            f"Without memory: {baseline.words}. {task.caution}"
        )
    )


def differing(shown: Job, asked: Job | None) -> str:
    """What to do where the controls ask for another run than the one that is shown."""
    unrecorded = tuple(replace(config, state_grads_every=0) for config in asked.configs) if asked else ()
    if shown.configs == unrecorded:
        return "This run of a sweep has no records of gradients; Start trains it with them."
    other = "other settings" if asked is None or asked.task is shown.task else f"“{asked.task.title}”"
    return f"Below is a run of “{shown.task.title}”; the controls ask for {other}: Start trains that."


def time_words(seconds: float) -> str:
    """Seconds as people say them."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def divergences(run: Run) -> list[str]:
    """Every model that went out of bounds, in a sentence each."""
    return [f"{divergence_words(learning, d)}." for learning in run.learnings for d in learning.diverged]
