"""The Memory lab's run: who may steer it, what it says of itself, and its pictures while it learns."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import streamlit as st

from rnnviz.charts.courses import divergence_words, say
from rnnviz.charts.figure import Figure
from rnnviz.charts.learning import learning_curves, metric_curves
from rnnviz.charts.reach import reach
from rnnviz.charts.training_gradients import clip_history, gradient_history
from rnnviz.runs import Job, Pool, Run
from rnnviz.runs.run import ACTIVE, DIED, FINISHED, PAUSED, QUEUED, RUNNING
from rnnviz.ui import layout, state
from rnnviz.ui.lab_controls import LAB, caption_of

CURVES_EVERY, GRADIENTS_EVERY = 0.2, 1.0  # seconds between pictures of a run that learns


def owner() -> str:
    """The same for all of a browser's tabs, now and after they were closed; nothing that names a person."""
    cookie = st.context.cookies.get("_streamlit_xsrf", "").split("|")
    with suppress(IndexError, TypeError, ValueError, ZeroDivisionError):
        mask, token = bytes.fromhex(cookie[1]), bytes.fromhex(cookie[2])
        plain = bytes(byte ^ mask[k % len(mask)] for k, byte in enumerate(token))
        return hashlib.sha256(plain).hexdigest()[:16]
    return str(st.session_state.setdefault("_owner", secrets.token_hex(8)))


def shown(pool: Pool, job: Job | None) -> Run | None:
    """The run that the link names, else a finished one of the very same job, else none."""
    asked = LAB["run"].draw()
    run = pool.find(asked) if asked else None
    if asked and run is None:
        state.note(
            f"Run in the link (lab_run) is “{asked}”, which this server does not hold any more. "
            "Start trains it again: the same configuration gives the same curves."
        )
        _name("")
    before = st.session_state.get("_lab_job")
    st.session_state["_lab_job"] = job
    if run and not run.active and before not in (None, job) and run.job != job:
        _name("")  # the visitor has turned to something else
        run = None
    return run or (pool.finished(job) if job else None)


def buttons(pool: Pool, run: Run | None, job: Job | None) -> None:
    """Start, and what its owner can do with a run."""
    with st.container(horizontal=True, horizontal_alignment="right", gap="small", key="lab_buttons"):
        mine = run is not None and run.owner == owner()
        same = run is not None and run.job == job
        running = mine and run is not None and run.active
        st.button(
            "Train again" if same and run and run.status == FINISHED else "Start",
            icon=":material/play_arrow:",
            type="secondary" if mine and run and run.status in (PAUSED, DIED) else "primary",
            key="lab_start",
            disabled=bool(same and running),
            on_click=_try,
            args=(_start, pool, job),
        )
        if run is None or not mine:
            return
        for label, icon, act, usable in (
            ("Pause", "pause", pool.pause, run.active),
            ("Resume", "resume", pool.resume, run.status in (PAUSED, DIED)),
            ("Cancel", "close", pool.cancel, run.active or run.status == PAUSED),
        ):
            if usable:
                st.button(
                    label,
                    icon=f":material/{icon}:",
                    type="primary" if label == "Resume" else "secondary",
                    key=f"lab_{label.lower()}",
                    on_click=_try,
                    args=(act, run),
                )


def _start(pool: Pool, job: Job) -> None:
    _name(pool.submit(job, owner()).id)


def _try(act: Callable[..., None], *given: object) -> None:
    try:
        act(*given)
    except ValueError as refusal:
        state.note(str(refusal))


def others(pool: Pool, run: Run | None) -> None:
    """The visitor's other runs that are not at their end, so that none is lost from sight."""
    for other in pool.unfinished(owner()):
        if other is not run:
            where = f"{other.status}, step {other.step:,} of {other.job.configs[0].steps:,}"
            st.button(
                f"Your other run: {layout.escape(other.job.task.title)}, length {other.job.length} ({where})",
                icon=":material/arrow_forward:",
                type="tertiary",
                key=f"lab_to_{other.id}",
                on_click=_name,
                args=(other.id,),
            )


def _name(run: str) -> None:
    control = LAB["run"]
    st.session_state[control.key] = run
    st.query_params.pop(control.key, None)


def live(pool: Pool, run: Run, sequence: Callable[[], None], rest: Callable[[], None]) -> None:
    """A run's pictures; while it learns they follow it.

    Args:
        pool, run: what to show.
        sequence: draws what stands between the curves and the gradients.
        rest: draws what stands under the pictures of a run at rest.
    """
    status = run.status  # read once: it may change at any moment
    if status in ACTIVE:
        st.fragment(partial(_curves, pool, run, status), run_every=CURVES_EVERY)()
        sequence()
        st.fragment(partial(_gradients, run), run_every=GRADIENTS_EVERY)()
    else:
        _curves(pool, run, status)
        sequence()
        _gradients(run)
        rest()


def _curves(pool: Pool, run: Run, status: str) -> None:
    if run.status != status:
        st.rerun()  # other buttons, and no more polling once it rests
    st.progress(run.share, text=layout.escape(said(pool, run)))
    gone = divergences(run)
    if gone:
        more = [f"And {len(gone) - 4} more."] if len(gone) > 4 else []
        st.warning("  \n".join(map(layout.escape, [*gone[:4], *more])), icon=":material/warning:")
    task, caption = run.job.task, caption_of(run.job)
    baseline = task.baseline(run.job.length)
    lines = [(baseline.loss, baseline.words), *task.landmarks(run.job.length)]
    metric, goal = task.metric, run.job.configs[0].stop_at
    for column, fig in zip(
        st.columns([3, 2]),
        (
            learning_curves(run.learnings, lines, caption),
            metric_curves(
                run.learnings,
                metric.title,
                metric.percent,
                metric.success if goal is None else goal,
                (baseline.metric, f"without memory: {say(baseline.metric, metric.percent)}"),
                caption,
            ),
        ),
        strict=True,
    ):
        with column:
            _draw(run, fig)


def _gradients(run: Run) -> None:
    caption, clip = caption_of(run.job), run.job.configs[0].clip
    for column, fig in zip(
        st.columns([3, 2]),
        (gradient_history(run.learnings, clip, caption), clip_history(run.learnings, caption)),
        strict=True,
    ):
        with column:
            _draw(run, fig)
    _draw(run, reach(run.learnings, caption))


def _draw(run: Run, fig: Figure) -> None:
    """With its files once it stands still."""
    if run.active:
        layout.picture(fig)
    else:
        layout.figure(fig, configuration(run.job), partial(_script, run, fig))


def _script(run: Run, fig: Figure) -> str:
    from rnnviz.training_script import training_script

    return training_script(run.job, fig.title, fig.caption, reach=fig.stem == "reach")


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
        return f"Step {step:,} of {steps:,}" + ("" if left is None else f" · about {_time(left)} left")
    if run.status == PAUSED:
        return f"Paused after step {step:,}. Resume goes on from here, to the bit."
    if run.status == DIED:
        kept = min((checkpoint.step for checkpoint in run.checkpoints), default=0)
        return f"{run.why} The last record is of step {step:,}; Resume goes on from step {kept:,}."
    if run.status == FINISHED and all(len(v.diverged) == len(v.config.seeds) for v in run.learnings):
        return f"Stopped at step {step:,}: every model diverged."
    if run.status == FINISHED:
        return f"Finished after {step:,} steps and {_time(sum(run.seconds))} of training."
    return f"Cancelled after step {step:,}; what it showed until then is kept."


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


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def divergences(run: Run) -> list[str]:
    """Every model that went out of bounds, in a sentence each."""
    return [f"{divergence_words(learning, d)}." for learning in run.learnings for d in learning.diverged]
