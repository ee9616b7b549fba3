"""Worker processes, the queue before them, and the runs they made."""

from __future__ import annotations

import logging
import os
import threading

from rnnviz.keeper import StoreError
from rnnviz.run_config import run_id
from rnnviz.runs import limits
from rnnviz.runs.job import Job
from rnnviz.runs.keeping import Journal, other_versions, rest_elsewhere, run_of
from rnnviz.runs.process import Worker
from rnnviz.runs.run import CANCELLED, DIED, FINISHED, PAUSED, QUEUED, RUNNING, Run
from rnnviz.store import Store, store

VARIABLE = "RNNVIZ_WORKERS"
MOST_WORKERS = 8  # that come unasked; each holds a torch of 300 MB
STOPPED = "stopped"  # how a run ends whose worker was told to stop
_log = logging.getLogger(__name__)


class Pool:
    """Runs, trained in processes of their own, as many at a time as there are workers.

    Args:
        workers: how many.
        store: where runs are kept and found again.
    """

    def __init__(self, workers: int, store: Store) -> None:
        """Start the workers; they wait in the background until they are needed."""
        self.store = store
        self._read: dict[str, int] = {}  # of a run out of the store, when its file was written
        self._runs: dict[str, Run] = {}
        self._queue: list[Run] = []
        self._busy: dict[str, Worker] = {}
        self._wish: dict[str, str] = {}  # what a run becomes when its worker has stopped
        self._changed = threading.Condition()
        for k in range(workers):
            # One process is there before it is needed; the others come when they are.
            threading.Thread(target=self._serve, args=(k == 0,), daemon=True, name="runs").start()

    def submit(self, job: Job, owner: str) -> Run:
        """Queue a job; one's own run of the very same job, if it is still on its way, is returned instead.

        Raises:
            ValueError: more than the limits allow, or a queue that is full.
        """
        limits.check(job)
        with self._changed:
            for run in self._runs.values():
                if run.active and run.owner == owner and run.job == job:
                    return run
            run = Run(job, owner)
            self._enqueue(run)
        return run

    def find(self, id: str) -> Run | None:
        """A run by the name that its link gives it: one that this server trained, else out of the store.

        Raises:
            ValueError: a run in the store that cannot be read, in a sentence.
        """
        named = self._runs.get(id) if "-" in id else None
        return named or self._stored(id.partition("-")[0])

    def of(self, job: Job) -> Run | None:
        """A run of these very configurations: finished, it would come out the same again; else one that
        learns, whoever started it; else out of the store, where it was cut off.

        Raises:
            ValueError: as `find`.
        """
        found = [run for run in list(self._runs.values()) if run.status == FINISHED and run.job == job]
        run = found[-1] if found else self._stored(run_id(job.configs))
        return None if run and run.status == CANCELLED else run

    def forget(self, key: str, out_of_store: bool = False) -> None:
        """Let go of every run at rest of a configuration, or of the one that was read: it is deleted."""
        with self._changed:
            for run in [run for run in self._runs.values() if run.key == key and not run.active]:
                if run.id == key or not out_of_store:
                    del self._runs[run.id]

    def _stored(self, key: str) -> Run | None:
        """One that learns here, else one that is finished, else one that pauses here, else as it was kept."""
        here = [run for run in list(self._runs.values()) if run.key == key]
        learning = [run for run in here if run.active]
        if learning:
            return learning[0]
        kept = self._kept(key)
        paused = [run for run in here if run.status == PAUSED and run.id != key]
        return paused[0] if paused and not (kept and kept.status == FINISHED) else kept

    def _kept(self, key: str) -> Run | None:
        """A run out of the store; read again when its file has changed."""
        known = self._runs.get(key)
        if known and known.unkept:
            return known  # what it came to is here only
        try:
            path = self.store.find(key)
            if path is None:
                self.forget(key, out_of_store=True)
                return None
            written = path.stat().st_mtime_ns
            if known and self._read.get(key) == written and not known.elsewhere:
                return known
            kept = self.store.load(key)
            run = run_of(kept, self.store.busy(key)) if kept else None
        except OSError:
            return None  # deleted a moment ago
        except StoreError as error:
            raise ValueError(str(error)) from None
        except ValueError as error:
            raise ValueError(f"Run “{key}” cannot be shown: {str(error).rstrip('.')}.") from None
        with self._changed:
            now = self._runs.get(key)  # another visitor may have read it meanwhile, or gone on with it
            same = now and self._read.get(key) == written and not now.elsewhere
            if run and not same and not (now and now.active):
                self._runs[key], self._read[key] = run, written
                self._forget()
            return self._runs.get(key)

    def unfinished(self, owner: str) -> list[Run]:
        """One's own runs that learn, wait or pause, the oldest first."""
        return [
            run
            for run in list(self._runs.values())
            if run.owner == owner and (run.active or run.status == PAUSED)
        ]

    def ahead(self, run: Run) -> int | None:
        """How many runs come before this one in the queue; None if it does not wait."""
        queue = list(self._queue)
        return queue.index(run) if run in queue else None

    def pause(self, run: Run) -> None:
        """Stop a run where it stands; its worker serves others meanwhile."""
        self._stop(run, PAUSED)

    def cancel(self, run: Run) -> None:
        """End a run; what it showed is kept."""
        if self._stop(run, CANCELLED):
            rest_elsewhere(self.store, run)

    def resume(self, run: Run, owner: str | None = None) -> None:
        """Queue a run at rest again: it goes on from where it stood, to the bit.

        Args:
            run: at rest.
            owner: who may steer it from now on; None for who could before.

        Raises:
            ValueError: more runs than the limits allow.
        """
        with self._changed:
            run = self._runs.get(run.id, run)  # the page's may be an older one of the same name
            twice = any(other.active and other.key == run.id for other in self._runs.values())
            if not (run.active or run.elsewhere or twice) and run.status != FINISHED:
                run.owner = run.owner if owner is None else owner
                other_versions(run)
                self._enqueue(run)

    def processes(self) -> list[int]:
        """Process numbers of the workers that train at this moment."""
        return [worker.pid for worker in list(self._busy.values())]

    def _enqueue(self, run: Run) -> None:
        active = [other for other in self._runs.values() if other.active]
        limits.refuse("own", sum(other.owner == run.owner for other in active) + 1)
        limits.refuse("waiting", len(self._queue) + 1)
        run.rewind()
        run.now(QUEUED)
        self._runs[run.id] = run
        self._queue.append(run)
        self._changed.notify()

    def _stop(self, run: Run, status: str) -> bool:
        """Bring a run to rest; whether it did not learn anyway."""
        with self._changed:
            run = self._runs.get(run.id, run)
            if run in self._queue:
                self._queue.remove(run)
                run.now(status)
                return True
            if run.status == RUNNING:
                self._wish[run.id] = status
                if run.id in self._busy:
                    self._busy[run.id].say(("stop",))
            elif run.status == PAUSED:
                run.now(status)
                return True
        return False

    def _forget(self) -> None:
        """Let go of the oldest runs at rest, beyond what is kept."""
        resting = sorted((r for r in self._runs.values() if not r.active), key=lambda r: r.changed)
        kept = sum(run.nbytes for run in resting)
        while kept > limits.limits()["kept"].most and len(resting) > 1:
            oldest = resting.pop(0)
            kept -= oldest.nbytes
            del self._runs[oldest.id]

    def _serve(self, early: bool) -> None:
        """One worker's life, and its successors'."""
        worker = Worker() if early else None
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                run = self._queue.pop(0)
                run.now(RUNNING)
            journal = None
            try:
                if worker is None or not worker.alive:
                    if worker:
                        worker.end()
                    worker = Worker()
                worker.say(("run", run.job, run.checkpoints))  # a large one waits until the worker reads
                with self._changed:
                    self._busy[run.id] = worker
                    if run.id in self._wish:
                        worker.say(("stop",))
                journal = Journal(self.store, run)
                status, why = self._follow(run, worker, journal)
            except Exception as error:  # whatever it is, the thread must be there for the next run
                _log.error("a run failed", exc_info=error)
                status, why = DIED, f"The run failed ({type(error).__name__})."
                if worker:
                    worker.kill()
            with self._changed:
                self._busy.pop(run.id, None)
                wish = self._wish.get(run.id)
            if status == STOPPED:
                status = wish or CANCELLED
            elif status == DIED and wish == CANCELLED:
                status, why = CANCELLED, ""
            if journal:
                journal.rests(status, why)
            with self._changed:
                self._wish.pop(run.id, None)  # also one that came too late
                run.now(status, why)
                self._forget()

    @staticmethod
    def _follow(run: Run, worker: Worker, journal: Journal) -> tuple[str, str]:
        """Take what a worker sends until a run ends; how it ended, and why."""
        while (message := worker.hear()) is not None:
            match message:
                case ("progress", progress):
                    run.take(progress)
                    journal.going()
                case ("finished",):
                    return FINISHED, ""
                case ("stopped",):
                    return STOPPED, ""
                case ("failed", sentence):
                    return DIED, f"The run failed: {sentence}."
        return DIED, f"Its process ended ({worker.end()})."


_one: list[Pool] = []
_making = threading.Lock()


def pool() -> Pool:
    """The server's one pool: as many workers as the machine has cores to spare, at least one.

    Raises:
        ValueError: when ``RNNVIZ_WORKERS`` is no number of workers.
    """
    with _making:
        if not _one:
            given = os.environ.get(VARIABLE)
            if given is not None and not (given.isdecimal() and 1 <= int(given) <= 64):
                raise ValueError(f"{VARIABLE} is “{given[:20]}”; allowed: 1 to 64.")
            workers = int(given) if given else max(1, min(MOST_WORKERS, _cores() - 1))
            _one.append(Pool(workers, store()))
        return _one[0]


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 2
