"""A sweep under way: who may steer it, what it says of itself, and its picture while it grows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from rnnviz import sweep as engine
from rnnviz.engine.outcome import Outcome
from rnnviz.store import store
from rnnviz.sweep import Sweeping
from rnnviz.sweep.sweeping import CANCELLED, FAILED, RUNNING
from rnnviz.ui import layout, state
from rnnviz.ui.lab import owner
from rnnviz.ui.lab_words import time_words
from rnnviz.ui.sweep_controls import FAR, Asked
from rnnviz.ui.visitor import at_the_machine

EVERY = 1.0  # seconds between pictures of a sweep that runs


@dataclass(frozen=True)
class Shown:
    """What the server computes, or computed last, and how to get there.

    Attributes:
        asked: what it is.
        sweeping: how it stands.
        controls: what stood in the controls of who started it.
    """

    asked: Asked
    sweeping: Sweeping
    controls: Mapping[str, Any]

    @property
    def mine(self) -> bool:
        """Whether this browser started it."""
        return self.sweeping.owner == owner()

    @property
    def running(self) -> bool:
        """Whether it still computes."""
        return bool(self.sweeping.status == RUNNING)


class Desk:
    """The server's one place for sweeps: one at a time, or each would take twice as long."""

    def __init__(self) -> None:
        """Nothing is computed yet."""
        self._lock = threading.Lock()
        self._last: Shown | None = None

    @property
    def last(self) -> Shown | None:
        """The sweep that runs, else the last one that did."""
        return self._last

    def start(self, asked: Asked, controls: Mapping[str, Any]) -> None:
        """Start a sweep for this browser, or go on with it; nothing where it already runs.

        Raises:
            ValueError: while another one runs.
        """
        with self._lock:
            last = self._last
            if last and last.running:
                if last.asked.sweep == asked.sweep:
                    return
                whose = f"{_whose(last)} of “{last.asked.task.title}”"
                raise ValueError(
                    f"This server computes one sweep at a time, and {whose} is under way: "
                    f"{progress(last.sweeping)}. Press Start again when it is done."
                )
            sweeping = Sweeping(asked.sweep, store(), owner=owner())
            self._last = Shown(asked, sweeping, dict(controls))


_desk = Desk()


def desk() -> Desk:
    """The server's one desk."""
    return _desk


def current(asked: Asked) -> Shown | None:
    """How the sweep that is asked for stands, where it was the last one to be computed."""
    last = desk().last
    return last if last and last.asked.sweep == asked.sweep else None


def outcomes(asked: Asked) -> tuple[Outcome, ...]:
    """What is there of a sweep: from the store, from what comes with the program, from what runs now."""
    found = {(one.config, one.seed): one for one in engine.known(asked.sweep, store())}
    shown = current(asked)
    if shown and (shown.running or shown.sweeping.note):  # the store may lag behind, or keep nothing
        found |= {(one.config, one.seed): one for one in shown.sweeping.outcomes}
    order = [(config, seed) for config in asked.sweep.configs for seed in config.seeds]
    return tuple(found[key] for key in order if key in found)


def missing(asked: Asked, there: tuple[Outcome, ...]) -> int:
    """How many trainings of a sweep are still to be done."""
    return len(set(asked.sweep.configs) - {one.config for one in there})


def buttons(asked: Asked) -> None:
    """Start, and Cancel for who started it."""
    shown, left = current(asked), missing(asked, outcomes(asked))
    running = shown is not None and shown.running
    with st.container(horizontal=True, horizontal_alignment="right", gap="small", key="far_buttons"):
        st.button(
            "Start" if left in (0, len(asked.sweep.configs)) else "Go on",
            icon=":material/play_arrow:",
            type="primary",
            key="far_start",
            disabled=running or not left,
            on_click=_start,
            args=(asked,),
        )
        if shown and shown.running and (shown.mine or at_the_machine()):
            st.button("Cancel", icon=":material/close:", key="far_cancel", on_click=shown.sweeping.cancel)


def _start(asked: Asked) -> None:
    held = {c.key: st.session_state[c.key] for c in FAR.values() if c.key in st.session_state}
    try:
        desk().start(asked, held)
    except ValueError as refusal:
        state.note(str(refusal))


def other(asked: Asked | None) -> None:
    """The way to a sweep that runs on while the controls ask for something else."""
    last = desk().last
    if last and last.running and (asked is None or last.asked.sweep != asked.sweep):
        whose = "Your sweep" if last.mine else "Another visitor's sweep"
        st.button(
            f"{whose} is under way: {layout.escape(last.asked.task.title)}, {progress(last.sweeping)}",
            icon=":material/arrow_forward:",
            type="tertiary",
            key="far_to",
            on_click=_go,
            args=(last,),
        )


def _go(shown: Shown) -> None:
    """Let the controls ask for what runs."""
    for control in FAR.values():
        if control.key not in shown.controls:
            continue
        value = shown.controls[control.key]
        st.session_state[control.key] = value
        if value not in (control.default, control.fallback):
            # A widget that is on the page keeps the link itself; one that comes only now does not.
            with suppress(StreamlitAPIException):
                st.query_params[control.key] = value if isinstance(value, list) else str(value)


def status(asked: Asked) -> None:
    """Where a sweep stands, in a sentence; while it runs with a bar that follows it."""
    shown = current(asked)
    if shown and shown.running:
        st.fragment(partial(_bar, shown), run_every=EVERY)()
    else:
        words = layout.escape(standing(asked, shown, outcomes(asked)))
        if shown and (shown.sweeping.status == FAILED or shown.sweeping.note):
            st.warning(words, icon=":material/warning:")
        else:
            st.caption(words)


def picture(asked: Asked, draw: Callable[[tuple[Outcome, ...], bool], None]) -> None:
    """A sweep's picture; while it runs the picture grows.

    Args:
        asked: which.
        draw: draws what is there; told whether it is at rest.
    """
    shown = current(asked)
    if shown and shown.running:
        st.fragment(partial(_growing, asked, shown, draw), run_every=EVERY)()
    else:
        draw(outcomes(asked), True)


def _bar(shown: Shown) -> None:
    if not shown.running:
        st.rerun()  # other buttons, files under the picture, and no more polling
    sweeping = shown.sweeping
    told = [progress(sweeping), sweeping.note, "" if shown.mine else "another visitor started it"]
    st.progress(min(max(sweeping.share, 0.0), 1.0), text=layout.escape(" · ".join(filter(None, told))))


def _growing(asked: Asked, shown: Shown, draw: Callable[[tuple[Outcome, ...], bool], None]) -> None:
    if not shown.running:
        st.rerun()
    draw(outcomes(asked), False)


def progress(sweeping: Sweeping) -> str:
    """How far a sweep is, in words."""
    left = sweeping.seconds_left()
    done = f"{sweeping.done} of {sweeping.total} trainings done"
    return done if left is None else f"{done}, about {time_words(left)} left"


def standing(asked: Asked, shown: Shown | None, there: tuple[Outcome, ...]) -> str:
    """What a sweep at rest says of itself: what is there, and what Start would do."""
    total, left = len(asked.sweep.configs), missing(asked, there)
    seeds = len(asked.sweep.base.seeds)
    models = f", {seeds} models each" if seeds > 1 else ""
    why = ""
    if shown and shown.sweeping.status == FAILED:
        why = f"It broke off: {shown.sweeping.why} "
    elif shown and shown.sweeping.status == CANCELLED and left:
        why = "Cancelled. "
    elif shown and shown.sweeping.note:  # as of a store that keeps nothing
        why = f"{shown.sweeping.note} "
    if not left:
        return f"{why}All {total} trainings are computed{models}."
    if left == total:
        return f"{why}Start computes this: {total} trainings{models}."
    return f"{why}{total - left} of {total} trainings are already computed; Go on trains the rest{models}."


def _whose(shown: Shown) -> str:
    return "your sweep" if shown.mine else "another visitor's sweep"
