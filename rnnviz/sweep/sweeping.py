"""A sweep under way, in the background."""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import replace
from functools import cache

from rnnviz import run_file
from rnnviz.engine.outcome import Outcome, outcomes_of
from rnnviz.engine.train_config import TrainConfig
from rnnviz.keeper import FINISHED, StoreError
from rnnviz.run_file import UnreadableError
from rnnviz.runs import limits
from rnnviz.store import Store
from rnnviz.sweep import executors
from rnnviz.sweep.cluster import check_versions
from rnnviz.sweep.executors import Workers
from rnnviz.sweep.finished import known, known_of
from rnnviz.sweep.grid import Sweep, name_of, work_of
from rnnviz.sweep.work import train_one

__all__ = ["CANCELLED", "FAILED", "FINISHED", "RUNNING", "Sweeping", "known"]

RUNNING, CANCELLED, FAILED = "running", "cancelled", "failed"
TRIES = 3  # of one training whose workers die
LOOK_UP = 0.2  # seconds after which a cancellation is seen
DRAIN = 30.0  # seconds at most in which the futures of workers that are gone end
ASK = 5.0  # seconds between questions how the workers are
_log = logging.getLogger(__name__)


class Sweeping:
    """A sweep that is trained from its making on; what is finished already is not trained again.

    Any thread may read it.

    Args:
        sweep: what to train.
        store: where finished runs are looked for, and kept as they come.
        scheduler: a Dask scheduler's address; as `executors.opened` has it.
        owner: who may steer it; "" for nobody.
        workers, patience: as `executors.opened` has them.

    Attributes:
        sweep, owner: as given.
        status: ``running``, ``finished``, ``cancelled`` or ``failed``.
        why: why it failed, in a sentence, or "".
        note: what its owner should know although it goes on, in a sentence, or "".
    """

    def __init__(
        self,
        sweep: Sweep,
        store: Store,
        scheduler: str | None = None,
        owner: str = "",
        *,
        workers: int | None = None,
        patience: float = executors.PATIENCE,
    ) -> None:
        """Begin."""
        self.sweep, self.owner = sweep, owner
        self.status, self.why, self.note = RUNNING, "", ""
        self._store, self._where = store, (scheduler, workers, patience)
        self._found: dict[TrainConfig, tuple[Outcome, ...]] = {}
        self._tries: Counter[TrainConfig] = Counter()
        self._refused = self._failed = ""
        self._began, self._last, self._trained = time.monotonic(), time.monotonic(), 0.0
        self._stop = threading.Event()
        self._over = threading.Event()
        _living().add(self)
        threading.Thread(target=self._live, daemon=True, name="sweep").start()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What came of all that is done, in the order of the sweep's configurations."""
        return tuple(one for config in self.sweep.configs for one in self._found.get(config, ()))

    @property
    def done(self) -> int:
        """Trainings that are done."""
        return len(self._found)

    @property
    def total(self) -> int:
        """Trainings of the sweep."""
        return len(self.sweep.configs)

    @property
    def share(self) -> float:
        """How much of the work is done, 0…1, as it is estimated from sizes, lengths and steps."""
        works = [(config in self._found, work_of(config)) for config in self.sweep.configs]
        return sum(work for done, work in works if done) / sum(work for _, work in works)

    def seconds_left(self) -> float | None:
        """Time that the rest takes at the pace so far; None where there is no pace, 0 when it is finished."""
        if self.status == FINISHED:
            return 0.0
        if self.status != RUNNING or not self._trained:
            return None
        left = sum(work_of(config) for config in self.sweep.configs if config not in self._found)
        seconds = left * (self._last - self._began) / self._trained
        return max(0.0, seconds - (time.monotonic() - self._last))

    def cancel(self) -> None:
        """End it. Trainings on this machine stop at once; a cluster ends those that have begun."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it is at rest, or for so many seconds."""
        self._over.wait(timeout)  # a thread's own join takes Ctrl-C for the thread's end

    def _live(self) -> None:
        try:
            pending = self._look(self.sweep.configs)
            while pending and not self._stop.is_set() and not self._failed:
                with executors.opened(*self._where) as workers:
                    pending = self._train(pending, workers)
            if self._failed or (self._refused and not self._stop.is_set()):
                self._now(FAILED, self._failed or self._refused)
            else:
                self._now(CANCELLED if pending else FINISHED)
        except ValueError as error:
            self._now(CANCELLED if self._stop.is_set() else FAILED, str(error))
        except Exception as error:  # whatever it is, who waits must hear of it
            if not self._stop.is_set():
                _log.error("a sweep failed", exc_info=error)
            self._now(CANCELLED if self._stop.is_set() else FAILED, f"The sweep failed ({said(error)}).")
        finally:
            self._store.trim(limits.limits()["stored"].most)
            self._over.set()

    def _look(self, configs: Sequence[TrainConfig]) -> list[TrainConfig]:
        """Take what is finished already; the rest."""
        pending = []
        for config in configs:
            outcomes = known_of(config, self._store)
            if outcomes:
                self._take(config, outcomes)
            else:
                pending.append(config)
        return pending

    def _train(self, pending: list[TrainConfig], workers: Workers) -> list[TrainConfig]:
        """Have them trained; those that are left when it ends early, or the workers are gone."""
        flying: dict[Future[bytes], TrainConfig] = {}
        self._began, self._last, self._trained = time.monotonic(), time.monotonic(), 0.0
        asked, gone = self._began, False
        while (pending or flying) and not (gone or self._failed or self._stop.is_set()):
            gone = self._hand_out(pending, flying, workers)
            over = wait(flying, LOOK_UP, FIRST_COMPLETED).done
            results = [(flying.pop(future), future) for future in over]
            gone = gone or (workers.one_fate and any(_lost(future, workers) for future in over))
            # New work first: to look at what came back and to keep it takes a while.
            gone = gone or self._hand_out(pending, flying, workers)
            for config, future in results:
                self._hear(config, future, pending, workers)
            if not over and time.monotonic() - asked > ASK:
                asked, trouble = time.monotonic(), workers.trouble()
                if trouble or self.note.startswith("The cluster"):
                    self._say(trouble)
        # What has ended by now counts; where the workers are gone, all has.
        for future in wait(flying, DRAIN if gone else 0).done:
            self._hear(flying.pop(future), future, pending, workers)
        left = {*flying.values(), *pending}
        return [config for config in self.sweep.configs if config in left]

    def _hand_out(
        self, pending: list[TrainConfig], flying: dict[Future[bytes], TrainConfig], workers: Workers
    ) -> bool:
        """Give the workers as much as they can use; whether they are gone."""
        while pending and len(flying) < workers.width and not (self._failed or self._stop.is_set()):
            config = pending[0]
            # Where one death ends all, the last try is alone: nobody is blamed for another's.
            last = any(self._tries[each] == TRIES - 1 for each in (config, *flying.values()))
            if workers.one_fate and last and flying:
                break
            outcomes = known_of(config, self._store)  # somebody else may have trained it meanwhile
            if outcomes:
                self._take(pending.pop(0), outcomes)
                continue
            try:
                flying[workers.submit(train_one, config)] = config
            except BrokenExecutor:
                if not flying:
                    self._count(config)
                return True
            except OSError as error:
                self._fail(f"No worker could be started ({said(error)}).")
                break
            pending.pop(0)
        return False

    def _hear(
        self, config: TrainConfig, future: Future[bytes], pending: list[TrainConfig], workers: Workers
    ) -> None:
        """Take a result, or what there is instead."""
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            self._keep(config, future.result())
            return
        pending.insert(0, config)
        if self._stop.is_set():
            return
        if error is None:
            self._fail("The scheduler is gone. What is finished is kept; start again to go on.")
        elif isinstance(error, workers.lost):
            self._count(config)
        elif isinstance(error, ValueError):
            # No other training can help it: the others go on.
            self._refused = f"The training of {name_of(config)} was refused: {error}"
            pending.remove(config)
        else:
            self._fail(f"The training of {name_of(config)} failed: {said(error)}.")

    def _keep(self, config: TrainConfig, data: bytes) -> None:
        """Check a result and keep it: in memory alone where the store cannot."""
        try:
            kept = run_file.unpack(data)
            check_versions(f"The worker that trained {name_of(config)}", dict(kept.versions))
        except UnreadableError as error:
            self._fail(f"What came back for {name_of(config)} cannot be read: {error}.")
            return
        except ValueError as error:
            self._fail(str(error))
            return
        if kept.configs != (config,) or kept.status != FINISHED or not kept.cells[0].learning.finished:
            self._fail(f"What came back for {name_of(config)} is something else.")
            return
        self._last = time.monotonic()
        if not self._trained:  # what it takes to start workers says nothing of their pace
            self._began = max(self._began, self._last - kept.cells[0].seconds)
        self._trained += work_of(config)
        self._take(config, outcomes_of(kept.cells[0].learning))
        try:
            self._store.save(replace(kept, owner=self.owner))
        except StoreError as error:
            self._say(str(error))

    def _count(self, config: TrainConfig) -> None:
        """One of its workers died."""
        self._tries[config] += 1
        if self._tries[config] >= TRIES:
            self._fail(
                f"The training of {name_of(config)} lost its worker {TRIES} times: it may need more memory "
                "than there is. What is finished is kept."
            )

    def _fail(self, why: str) -> None:
        """It cannot go on; the first reason counts."""
        self._failed = self._failed or why

    def _take(self, config: TrainConfig, outcomes: tuple[Outcome, ...]) -> None:
        self._found[config] = outcomes

    def _say(self, note: str) -> None:
        self.note = note

    def _now(self, status: str, why: str = "") -> None:
        self.why = "" if status == CANCELLED else why
        self.status = status


def _lost(future: Future[bytes], workers: Workers) -> bool:
    return not future.cancelled() and isinstance(future.exception(), workers.lost)


def said(error: BaseException) -> str:
    """An error in a few words."""
    return (
        f"{type(error).__name__}: {str(error).splitlines()[0][:200]}" if str(error) else type(error).__name__
    )


@cache
def _living() -> weakref.WeakSet[Sweeping]:
    """Sweeps that end with the program.

    The interpreter waits for a process pool's work before it calls what ``atexit`` has; before that it calls
    what `threading` has, the latest first.
    """
    living: weakref.WeakSet[Sweeping] = weakref.WeakSet()

    def end() -> None:
        for sweeping in list(living):
            sweeping.cancel()
        for sweeping in list(living):
            sweeping.join(5)

    getattr(threading, "_register_atexit", atexit.register)(end)
    return living
