"""Worker processes, the queue before them, and the runs they made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from rnnviz.runs import limits
from rnnviz.runs.job import Job
from rnnviz.runs.pipe import receive, send
from rnnviz.runs.run import CANCELLED, DIED, FINISHED, PAUSED, QUEUED, RUNNING, Run

VARIABLE = "RNNVIZ_WORKERS"
_ROOT = Path(__file__).resolve().parents[2]


class Pool:
    """Runs, trained in processes of their own, as many at a time as there are workers."""

    def __init__(self, workers: int) -> None:
        """Start the workers; they wait in the background until they are needed."""
        self._runs: dict[str, Run] = {}
        self._queue: list[Run] = []
        self._busy: dict[str, _Worker] = {}
        self._wish: dict[str, str] = {}  # what a run becomes when its worker has stopped
        self._changed = threading.Condition()
        for _ in range(workers):
            threading.Thread(target=self._serve, daemon=True, name="runs").start()

    def submit(self, job: Job, owner: str) -> Run:
        """Queue a job.

        Raises:
            ValueError: more than the limits allow, or a queue that is full.
        """
        limits.check(job)
        with self._changed:
            active = [run for run in self._runs.values() if run.active]
            limits.refuse("own", sum(run.owner == owner for run in active) + 1)
            limits.refuse("waiting", len(self._queue) + 1)
            run = Run(job, owner)
            self._runs[run.id] = run
            self._forget()
            self._enqueue(run)
        return run

    def find(self, id: str) -> Run | None:
        """A run by the name that its link gives it."""
        return self._runs.get(id)

    def finished(self, job: Job) -> Run | None:
        """A finished run of these very configurations: it would come out the same again."""
        found = [run for run in list(self._runs.values()) if run.status == FINISHED and run.job == job]
        return found[-1] if found else None

    def ahead(self, run: Run) -> int | None:
        """How many runs come before this one in the queue; None if it does not wait."""
        queue = list(self._queue)
        return queue.index(run) if run in queue else None

    def pause(self, run: Run) -> None:
        """Stop a run where it stands; its worker serves others meanwhile."""
        self._stop(run, PAUSED)

    def cancel(self, run: Run) -> None:
        """End a run; what it showed is kept."""
        self._stop(run, CANCELLED)

    def resume(self, run: Run) -> None:
        """Queue a run again: it goes on from where it stood, to the bit."""
        with self._changed:
            if not run.active and run.status != FINISHED:
                self._wish.pop(run.id, None)
                run.rewind()
                self._enqueue(run)

    def processes(self) -> list[int]:
        """Process numbers of the workers that train at this moment."""
        return [worker.pid for worker in list(self._busy.values())]

    def _enqueue(self, run: Run) -> None:
        run.now(QUEUED)
        self._queue.append(run)
        self._changed.notify()

    def _stop(self, run: Run, status: str) -> None:
        with self._changed:
            if run in self._queue:
                self._queue.remove(run)
                run.now(status)
            elif run.id in self._busy:
                self._wish[run.id] = status
                self._busy[run.id].say(("stop",))
            elif run.status in (PAUSED, DIED) and status == CANCELLED:
                run.now(status)

    def _forget(self) -> None:
        """Let go of the oldest runs at rest, beyond what is kept."""
        resting = [run for run in self._runs.values() if not run.active]
        resting.sort(key=lambda run: run.changed)
        for run in resting[: max(0, len(resting) - int(limits.limits()["kept"].most))]:
            del self._runs[run.id]

    def _serve(self) -> None:
        """One worker's life, and its successors'."""
        worker = _Worker()
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                run = self._queue.pop(0)
                if not worker.alive:
                    worker.end()
                    worker = _Worker()
                self._busy[run.id] = worker
                run.now(RUNNING)
                worker.say(("run", run.job, run.checkpoints))
            status, why = self._follow(run, worker)
            with self._changed:
                del self._busy[run.id]
                run.now(status, why)

    def _follow(self, run: Run, worker: _Worker) -> tuple[str, str]:
        """Take what a worker sends until a run ends; how it ended, and why."""
        while (message := worker.hear()) is not None:
            match message:
                case ("progress", progress):
                    run.take(progress)
                case ("finished",):
                    return FINISHED, ""
                case ("stopped",):
                    return self._wish.pop(run.id, CANCELLED), ""
                case ("failed", sentence):
                    return DIED, f"The run failed: {sentence}"
        wish = self._wish.pop(run.id, None)
        return (CANCELLED, "") if wish == CANCELLED else (DIED, f"Its process ended ({worker.end()}).")


class _Worker:
    """A process and its pipes."""

    def __init__(self) -> None:
        # Only what is needed: a worker reads no settings of Streamlit's and no terminal.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rnnviz.runs.worker"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def say(self, message: tuple[object, ...]) -> None:
        """Send a message; a process that is gone is noticed by who listens to it."""
        try:
            send(self._pipe(self._process.stdin), message)
        except OSError:
            self._process.kill()

    def hear(self) -> tuple[Any, ...] | None:
        return receive(self._pipe(self._process.stdout))

    def end(self) -> str:
        """How it ended, in words."""
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what it was still to be told
                self._pipe(pipe).close()
        if code >= 0:
            return f"code {code}"
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None  # both were asked for
        return pipe


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
            _one.append(Pool(int(given) if given else max(1, (os.cpu_count() or 2) - 1)))
        return _one[0]
