"""Runs into the store and out of it."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack

from rnnviz.keeper import Keeper, StoreError
from rnnviz.run_file import Kept, KeptCell, versions
from rnnviz.runs import limits
from rnnviz.runs.job import Job
from rnnviz.runs.run import ACTIVE, CANCELLED, DIED, FINISHED, PAUSED, Run
from rnnviz.store import Store

AGAIN = 5.0  # seconds until what could not be written is tried again
RESTING = (FINISHED, PAUSED, CANCELLED, DIED)
_log = logging.getLogger(__name__)


def kept_of(run: Run, status: str, why: str = "") -> Kept:
    """A run as the store keeps it."""
    checkpoints = run.checkpoints if status != FINISHED and run.checkpoints else (None,) * len(run.learnings)
    cells = zip(run.learnings, run.weights, run.seconds, checkpoints, strict=True)
    return Kept(
        tuple(KeptCell(*cell) for cell in cells),
        status,
        why,
        run.owner,
        run.versions,
        brought=run.brought,
    )


def run_of(kept: Kept, busy: bool = False) -> Run:
    """A run at rest, as it was kept.

    Args:
        kept: the run.
        busy: whether somebody keeps it at this moment.

    Raises:
        ValueError: one that is of several tasks, or more than the limits allow to train on.
    """
    job, cells = Job(kept.configs), kept.cells
    finished = all(cell.learning.finished for cell in cells)
    if not finished:
        limits.check(job)
    run = Run(job, kept.owner, kept.id)
    run.learnings = tuple(cell.learning for cell in cells)
    run.weights = tuple(dict(cell.weights) for cell in cells)
    run.seconds = tuple(cell.seconds for cell in cells)
    checkpoints = tuple(cell.checkpoint for cell in cells if cell.checkpoint)
    run.checkpoints = checkpoints if len(checkpoints) == len(cells) else ()
    run.versions, run.brought = kept.versions, kept.brought
    if finished:
        run.now(FINISHED)
    elif kept.status in RESTING and kept.status != FINISHED:
        run.now(kept.status, kept.why)
    else:
        run.elsewhere = busy
        words = "Another server trains it at this moment." if busy else "Its server ended while it learned."
        run.now(DIED, words)
    return run


def other_versions(run: Run) -> None:
    """Note that a run goes on under other versions than it began with."""
    run.versions = {
        name: here if run.versions.get(name, here) == here else f"{run.versions[name]}, then {here}"
        for name, here in versions().items()
    }


class Journal:
    """Keeps a run while it learns, as far as the store can; what it cannot is said on the run."""

    def __init__(self, store: Store, run: Run) -> None:
        """Reserve its place in the store."""
        self._store, self._run, self._stack, self._again = store, run, ExitStack(), 0.0
        self._keeper: Keeper | None = None
        self._reserve()

    def _reserve(self) -> None:
        try:
            self._keeper = self._stack.enter_context(self._store.keeping(self._run.key))
            self._run.unkept = ""
        except StoreError as refusal:
            self._run.unkept, self._again = str(refusal), time.monotonic() + AGAIN

    def going(self) -> None:
        """Write where the run stands, if it is time."""
        now = time.monotonic()
        if not self._run.checkpoints or now < self._again:
            return
        if self._keeper is None:
            self._reserve()
        if self._keeper is None or not self._keeper.due:
            return
        try:
            self._keeper.going(kept_of(self._run, self._run.status))
            self._run.unkept = ""
        except StoreError as refusal:
            self._run.unkept, self._again = str(refusal), now + AGAIN

    def rests(self, status: str, why: str) -> None:
        """Write the run as it came to rest, and let its place go."""
        run = self._run
        with self._stack:
            try:
                kept = kept_of(run, status, why)
                if self._keeper is not None:
                    self._keeper.whole(kept)
                elif status == FINISHED and self._store.find(run.key) is None:
                    self._store.save(kept)
                else:
                    return
                run.unkept = ""
            except StoreError as refusal:
                run.unkept = str(refusal)
            except Exception as error:  # whatever it is, the server's thread must be there for the next run
                _log.error("a run was not kept", exc_info=error)
                run.unkept = f"It is not kept ({type(error).__name__})."
        gone = self._store.trim(limits.limits()["stored"].most)
        if gone:
            _log.info("the store let %d old runs go", len(gone))


def rest_elsewhere(store: Store, run: Run) -> None:
    """Write that a run which nobody trains changed its mind, as from paused to cancelled."""
    if run.status in ACTIVE or not any(run.weights):
        return
    try:
        store.save(kept_of(run, run.status, run.why))
    except StoreError as refusal:
        run.unkept = str(refusal)
