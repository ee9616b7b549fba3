"""The Memory lab's run: who may steer it, what it says of itself, and its pictures while it learns."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import streamlit as st

from rnnviz.charts.courses import say
from rnnviz.charts.figure import Figure
from rnnviz.charts.learning import learning_curves, metric_curves
from rnnviz.charts.reach import reach
from rnnviz.charts.training_gradients import clip_history, gradient_history
from rnnviz.runs import Job, Pool, Run
from rnnviz.runs.run import ACTIVE, CANCELLED, DIED, FINISHED, PAUSED
from rnnviz.ui import lab_words, layout, state
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
    """The run that the link names, else one of the very same job that is finished or was cut off, if any."""
    asked = LAB["run"].draw()
    missing = f"Run in the link (lab_run) is “{asked}”, which this server does not have."
    run = _found(partial(pool.find, asked), missing) if asked else None
    if asked and run is None:
        _name("")
    before = st.session_state.get("_lab_job")
    st.session_state["_lab_job"] = job
    if run and not run.active and before not in (None, job) and run.job != job:
        _name("")  # the visitor has turned to something else
        run = None
    if job and (run is None or (run.status == CANCELLED and run.job == job)):
        # Trained again and cancelled, what was finished before is there as it was.
        other = _found(partial(pool.of, job))
        run = other if run is None or (other and other.status == FINISHED) else run
    return run


def _found(find: Callable[[], Run | None], missing: str = "") -> Run | None:
    """What the pool finds; what it cannot read is said, and what is missing if that has words."""
    run = None
    try:
        run = find()
    except ValueError as error:
        missing = str(error)
    if run is None and missing:
        state.note(f"{missing} Start trains it again: the same configuration gives the same curves.")
    return run


def buttons(pool: Pool, run: Run | None, job: Job | None) -> None:
    """Start, and what its owner can do with a run."""
    with st.container(horizontal=True, horizontal_alignment="right", gap="small", key="lab_buttons"):
        # A run out of the store that was cut off has lost who started it: anyone may go on with it.
        own = run is not None and run.owner == owner()
        orphan = run is not None and run.id == run.key and not run.active and not run.elsewhere
        mine = own or orphan
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
            ("Resume", "resume", partial(_resume, pool), run.status in (PAUSED, DIED)),
            ("Cancel", "close", pool.cancel, own and (run.active or run.status == PAUSED)),
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


def _resume(pool: Pool, run: Run) -> None:
    pool.resume(run, owner())
    _name(run.id)


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
    st.session_state[f"_{control.key}_written"] = run  # so that a link to what it was before counts again
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
    st.progress(run.share, text=layout.escape(lab_words.said(pool, run)))
    if run.unkept:
        st.warning(layout.escape(run.unkept), icon=":material/save:")
    gone = lab_words.divergences(run)
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
        layout.figure(fig, lab_words.configuration(run.job), partial(_script, run, fig))


def _script(run: Run, fig: Figure) -> str:
    from rnnviz.training_script import training_script

    return training_script(run.job, fig.title, fig.caption, reach=fig.stem == "reach")
