"""The list of runs: those that come with the program, those that were kept, and a way in for others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import streamlit as st

from rnnviz import export, run_file
from rnnviz.keeper import FINISHED, StoreError
from rnnviz.lectures import LECTURES
from rnnviz.run_config import config_of
from rnnviz.runs import Job, Pool, limits
from rnnviz.runs.keeping import RESTING, run_of
from rnnviz.store import Listed
from rnnviz.ui import lab, lab_words, layout, state
from rnnviz.ui.lab_link import link_of, title_of
from rnnviz.ui.pages import LAB
from rnnviz.ui.state import Choice, Control, Number

A_PAGE = 10  # runs
MOST_UPLOAD = 50  # megabytes; .streamlit/config.toml says so, too
KINDS: dict[str, Callable[[Listed], bool]] = {
    "all": lambda run: True,
    "finished": lambda run: not run.problem and run.head.get("status") == FINISHED,
    "cut off": lambda run: not run.problem and run.head.get("status") != FINISHED,
    "unreadable": lambda run: bool(run.problem),
}
TABLE: dict[str, Control] = {
    "kind": Choice("runs_kind", "Show", "all", options={name: name for name in KINDS}),
    "page": Number("runs_page", "Page", 1, None, 1, 1, 1),
}
_DELETED = "_runs_deleted"  # what can be had back: name and title


def lectures() -> None:
    """Runs that come with the program, each with what it shows."""
    st.markdown("##### Lecture runs")
    for first in range(0, len(LECTURES), 3):
        for column, lecture in zip(st.columns(3), LECTURES[first : first + 3], strict=False):
            with column, st.container(border=True, height="stretch"):
                st.page_link(
                    LAB.file, label=f"**{lecture.title}**", icon=LAB.icon, query_params=link_of(lecture.job)
                )
                st.caption(layout.escape(lecture.shows))


def kept(pool: Pool) -> None:
    """What this machine has kept, the newest first."""
    try:
        every = pool.store.listed()
    except StoreError as error:
        st.error(layout.escape(str(error)))
        return
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        size = sum(run.nbytes for run in every)
        st.markdown(
            f"##### Kept on this machine: {len(every):,} run{'s' * (len(every) != 1)}, {_bytes(size)}"
        )
        st.caption(layout.escape(f"In {pool.store.home}; beyond {_bytes(_most())} the oldest make room."))
    with right:
        kind = TABLE["kind"].draw()
    _deleted(pool)
    found = [run for run in every if KINDS[kind](run)]
    pages = max(1, -(-len(found) // A_PAGE))
    if not found:
        st.info("Nothing yet: Start in the Memory lab trains a run." if not every else f"None is {kind}.")
    page = TABLE["page"].draw(high=pages) if pages > 1 else 1
    for run in found[(page - 1) * A_PAGE : page * A_PAGE]:
        _row(pool, run)


def bring(pool: Pool) -> None:
    """A run from another machine."""
    st.markdown("##### Bring a run from another machine")
    given = st.file_uploader(
        "A file that Export wrote, ending in .safetensors",
        type="safetensors",
        max_upload_size=MOST_UPLOAD,
        key="runs_file",
    )
    if given is None:
        return
    try:
        run, words = taken(pool, given.getvalue(), lab.owner()), "It is kept"
    except (ValueError, StoreError) as error:
        st.error(layout.escape(f"“{given.name[:60]}” is not taken: {str(error).rstrip('.')}."))
        return
    st.success(f"{words}: {layout.escape(title_of(run))}.", icon=":material/check:")
    st.page_link(LAB.file, label="**Open it in the Memory lab**", icon=LAB.icon, query_params=link_of(run))


def taken(pool: Pool, data: bytes, owner: str) -> Job:
    """Keep a run that somebody brings.

    Raises:
        ValueError: no run, or one that is more than this server allows.
        StoreError: the store cannot be written.
    """
    run = run_file.unpack(data)
    if run.apart:
        raise ValueError("its weights were kept in other files; Export writes them all into one")
    limits.check(run_of(run).job)
    pool.store.save(replace(run, owner=owner))
    pool.store.trim(_most())
    return Job(run.configs)


def _row(pool: Pool, run: Listed) -> None:
    job, problem = _job(run)
    with st.container(border=True, key=f"runs_row_{run.id}"):
        words, take, throw = st.columns([8, 1.3, 1.3], vertical_alignment="center")
        with words:
            if job is None:
                st.markdown(f"**Run {layout.escape(run.id)}** cannot be shown: {layout.escape(problem)}.")
            else:
                st.page_link(
                    LAB.file,
                    label=f"**{layout.escape(title_of(job))}**",
                    icon=LAB.icon,
                    query_params=link_of(job, run.id),
                )
            st.caption(layout.escape(_about(pool, run, job)))
        with take:
            if job is not None:
                st.download_button(
                    "Export",
                    data=partial(pool.store.export, run.id),
                    file_name=export.filename("run", lab_words.configuration(job), "safetensors"),
                    mime="application/octet-stream",
                    on_click="ignore",
                    key=f"runs_export_{run.id}",
                    type="tertiary",
                    icon=":material/download:",
                )
        with throw:
            if run.head.get("owner") == lab.owner() or at_the_machine():
                st.button(
                    "Delete",
                    key=f"runs_delete_{run.id}",
                    type="tertiary",
                    icon=":material/delete:",
                    on_click=_delete,
                    args=(pool, run.id, title_of(job) if job else f"Run {run.id}"),
                )


def _job(run: Listed) -> tuple[Job | None, str]:
    """What was trained, or why nobody can tell."""
    if run.problem:
        return None, run.problem
    try:
        return Job(tuple(config_of(cell["config"]) for cell in run.head["cells"])), ""
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return None, f"what it says of itself cannot be ({type(error).__name__})"


def _about(pool: Pool, run: Listed, job: Job | None) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.when))
    if job is None:
        return f"{when} · {_bytes(run.nbytes)}"
    step = max(int(cell["step"]) for cell in run.head["cells"])
    status = str(run.head["status"])
    if status not in RESTING:
        status = "learning" if pool.store.busy(run.id) else "cut off"
    return f"{status} · step {step:,} of {job.configs[0].steps:,} · {when} · {_bytes(run.nbytes)}"


def _delete(pool: Pool, id: str, title: str) -> None:
    try:
        pool.store.delete(id)
    except StoreError as error:
        why = "It learns at this moment; cancel it first." if pool.store.busy(id) else error
        state.note(f"Nothing was deleted. {why}")
    else:
        pool.forget(id)
        st.session_state[_DELETED] = id, title


def _deleted(pool: Pool) -> None:
    """What was deleted last, and the way back."""
    if _DELETED not in st.session_state:
        return
    id, title = st.session_state[_DELETED]
    words, back = st.columns([8, 1.3], vertical_alignment="center")
    with words:
        st.info(f"Deleted: {layout.escape(title)}. It can be had back for a day.", icon=":material/delete:")
    with back:
        st.button("Undo", key="runs_undo", icon=":material/undo:", on_click=_undo, args=(pool, id))


def _undo(pool: Pool, id: str) -> None:
    try:
        if not pool.store.undo(id):
            state.note("There is nothing to take back: the run has been trained anew, or was let go.")
    except StoreError as error:
        state.note(f"Nothing was taken back. {error}")
    st.session_state.pop(_DELETED, None)


def at_the_machine() -> bool:
    """Whether the visitor sits at the machine itself, as far as a browser tells: then all runs are theirs."""
    passed_on = ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via")
    return st.context.ip_address is None and not any(name in st.context.headers for name in passed_on)


def _most() -> float:
    return limits.limits()["stored"].most


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
