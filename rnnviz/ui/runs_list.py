"""The list of runs: those that come with the program, those that were kept, and a way in for others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import streamlit as st

from rnnviz import export, run_file
from rnnviz.engine.optimisers import TITLES
from rnnviz.keeper import FINISHED, StoreError
from rnnviz.lectures import LECTURES
from rnnviz.run_config import config_of, run_id
from rnnviz.runs import Job, Pool, limits
from rnnviz.runs.keeping import RESTING, run_of
from rnnviz.store import Listed, TakenError
from rnnviz.ui import lab, lab_words, layout, state
from rnnviz.ui.lab_link import link_of, title_of
from rnnviz.ui.pages import LAB
from rnnviz.ui.state import Choice, Control, Number
from rnnviz.ui.visitor import at_the_machine

A_PAGE = 10  # runs
MOST_UPLOAD = 50  # megabytes; .streamlit/config.toml says so, too
KINDS: dict[str, Callable[[Listed], bool]] = {
    "all": lambda run: True,
    "finished": lambda run: not run.problem and run.head.get("status") == FINISHED,
    "unfinished": lambda run: not run.problem and run.head.get("status") != FINISHED,
    "unreadable": lambda run: bool(run.problem),
}
TABLE: dict[str, Control] = {
    "kind": Choice("runs_kind", "Show", "all", options={name: name for name in KINDS}),
    "page": Number("runs_page", "Page", 1, None, 1, 1, 1),
}
_TAKEN = "_runs_taken"  # the file that was brought last, and what came of it
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
        st.caption(
            layout.escape(f"In {pool.store.home}; when it exceeds {_bytes(_most())}, the oldest are deleted.")
        )
    with right:
        kind = TABLE["kind"].draw()
    _deleted(pool)
    found = [run for run in every if KINDS[kind](run)]
    pages = max(1, -(-len(found) // A_PAGE))
    if not found:
        st.caption("Nothing yet: Start in the Memory lab trains a run." if not every else f"None is {kind}.")
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
    file, result = st.session_state.get(_TAKEN, ("", ""))
    if file != given.file_id:  # once: the field holds the file for as long as the page is open
        try:
            result = taken(pool, given.getvalue(), lab.owner())
        except (ValueError, StoreError) as error:
            result = f"“{given.name[:60]}” is not taken: {str(error).rstrip('.')}."
        st.session_state[_TAKEN] = given.file_id, result
        if isinstance(result, Job):
            st.session_state.pop(_DELETED, None)  # nothing to undo where it is here again
            st.rerun()  # the list above has one more
    if isinstance(result, str):
        st.error(layout.escape(result))
    elif pool.store.find(run_id(result.configs)):
        st.success(f"It is kept: {layout.escape(title_of(result))}.", icon=":material/check:")
        link = link_of(result)
        st.page_link(LAB.file, label="**Open it in the Memory lab**", icon=LAB.icon, query_params=link)


def taken(pool: Pool, data: bytes, owner: str) -> Job:
    """Keep a run that somebody brings.

    Raises:
        ValueError: no run, one that is more than this server allows, or that is here already.
        StoreError: the store cannot be written.
    """
    run = run_file.unpack(data)
    if run.apart:
        raise ValueError("its weights were kept in other files; Export writes them all into one")
    if any(cell.learning.step and not cell.weights for cell in run.cells):
        raise ValueError("it has no weights")
    if len({config.seeds for config in run.configs}) > 1:
        raise ValueError("its cells have different seeds, and the lab shows the same for all")
    job = run_of(run).job
    limits.check(job)
    here = _here(pool, run.id)
    if here and not here.brought and (here.status == FINISHED or _steps(here) >= _steps(run)):
        raise ValueError("the same run is here already, and as far")
    if sum(other.nbytes for other in pool.store.listed()) + len(data) > _most():
        raise ValueError(f"the store is full ({_bytes(_most())}); delete some runs first")
    pool.store.save(replace(run, owner=owner, brought=True))
    pool.forget(run.id)
    return job


def _here(pool: Pool, id: str) -> run_file.Kept | None:
    """What would be replaced; a damaged run is nothing."""
    try:
        return pool.store.load(id)
    except run_file.NewerError:
        raise
    except run_file.UnreadableError:
        return None


def _steps(run: run_file.Kept) -> int:
    return sum(cell.learning.step for cell in run.cells)


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
    first = job.configs[0]
    sizes = "/".join(dict.fromkeys(str(config.hidden_size) for config in job.configs))
    how = f"H = {sizes} · {TITLES[first.optimizer]} {first.lr:g} · seed {first.seeds[0]}"
    return f"{how} · {status} · step {step:,} of {first.steps:,} · {when} · {_bytes(run.nbytes)}"


def _delete(pool: Pool, id: str, title: str) -> None:
    try:
        pool.store.delete(id)
    except StoreError as error:
        learning = isinstance(error, TakenError)
        state.note(
            f"Nothing was deleted. {'It learns at this moment; cancel it first.' if learning else error}"
        )
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
        st.info(f"Deleted: {layout.escape(title)}. Undo brings it back.", icon=":material/delete:")
    with back:
        st.button("Undo", key="runs_undo", icon=":material/undo:", on_click=_undo, args=(pool, id))


def _undo(pool: Pool, id: str) -> None:
    try:
        if not pool.store.undo(id):
            state.note("There is nothing to take back: the run has been trained anew, or was let go.")
    except StoreError as error:
        state.note(f"Nothing was taken back. {error}")
    st.session_state.pop(_DELETED, None)


def _most() -> float:
    return limits.limits()["stored"].most


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
