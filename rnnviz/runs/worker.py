"""A process that trains what it is told to: ``python -m rnnviz.runs.worker``, spoken to over its pipes.

In come ``("run", job,
checkpoints)`` and ``("stop",)``; out go ``("progress", Progress)`` and at the end of a run
``("finished",)``, ``("stopped",)`` or ``("failed", sentence)``. The process ends when its input does, so that
none outlives its server.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

from rnnviz.engine.learning import learning_of
from rnnviz.engine.train import Checkpoint, Record, Training
from rnnviz.engine.train_config import TrainConfig
from rnnviz.run_file import Weights, copy_of
from rnnviz.runs.job import Job
from rnnviz.runs.pipe import receive, send
from rnnviz.runs.run import Progress

SEND_EVERY = 0.12  # seconds: a picture that follows four times a second has something new each time
CHECKPOINT_EVERY = 0.4  # seconds: with the way to the disk, what a run that is killed loses is under a second
CHECKPOINT_COSTS = 0.01  # of the time at most; large models go on from further back
SAVES = 40  # steps at most whose weights are kept


def save_every(config: TrainConfig) -> int:
    """Steps between saved weights: a multiple of the evaluations', so that each has its figure."""
    return config.eval_every * max(1, -(-config.steps // (config.eval_every * SAVES)))


class _Cell:
    """One cell's training, and what of it has not been sent yet."""

    def __init__(self, config: TrainConfig, checkpoint: Checkpoint | None) -> None:
        self.training = Training(config, checkpoint)
        self.done = checkpoint is not None and checkpoint.finished
        self._every = save_every(config)
        self._records: list[Record] = []
        self._weights: dict[int, Weights] = {}
        self._seconds = 0.0
        if checkpoint is None:
            self.save()

    def advance(self) -> None:
        """One update."""
        start = time.perf_counter()
        record = next(self.training)
        self._seconds += time.perf_counter() - start
        self._records.append(record)
        self.done = record.last
        if record.last or record.step % self._every == 0:
            self.save()

    def news(self) -> tuple[Any, ...]:
        """Records, weights and seconds since the last time."""
        found = learning_of(self.training.config, self._records), self._weights, self._seconds
        self._records, self._weights, self._seconds = [], {}, 0.0
        return found

    def save(self) -> None:
        """Keep the weights as they are now."""
        self._weights[self.training.step] = copy_of(self.training.params)


def work(job: Job, checkpoints: Sequence[Checkpoint], inbox: queue.SimpleQueue[Any], out: IO[bytes]) -> None:
    """Train a job's cells in step with each other, and tell."""
    given: Sequence[Checkpoint | None] = checkpoints or [None] * len(job.configs)
    cells = [_Cell(config, start) for config, start in zip(job.configs, given, strict=True)]
    told, next_kept = time.monotonic() - SEND_EVERY, time.monotonic() + CHECKPOINT_EVERY
    while not (stopped := _asked_to_stop(inbox)) and not all(cell.done for cell in cells):
        # A cell that has been slower so far does not fall behind: all make one update each.
        for cell in cells:
            if not cell.done:
                cell.advance()
        now = time.monotonic()
        if now - told >= SEND_EVERY:
            told = now
            keep = now >= next_kept
            _tell(cells, out, keep)
            if keep:
                next_kept = now + max(CHECKPOINT_EVERY, (time.monotonic() - now) / CHECKPOINT_COSTS)
    for cell in cells:
        cell.save()  # so that a run can be looked into where it was stopped
    _tell(cells, out, checkpoint=True)
    send(out, ("stopped",) if stopped else ("finished",))


def _tell(cells: Sequence[_Cell], out: IO[bytes], checkpoint: bool) -> None:
    learnings, weights, seconds = zip(*(cell.news() for cell in cells), strict=True)
    kept = tuple(cell.training.checkpoint() for cell in cells) if checkpoint else ()
    send(out, ("progress", Progress(learnings, weights, seconds, kept)))


def _asked_to_stop(inbox: queue.SimpleQueue[Any]) -> bool:
    with suppress(queue.Empty):
        return bool(inbox.get_nowait()[0] == "stop")
    return False


def _listen(pipe: IO[bytes], inbox: queue.SimpleQueue[Any]) -> None:
    """Hand on what comes in; with its server gone the process has nothing left to do."""
    while (message := receive(pipe)) is not None:
        inbox.put(message)
    os._exit(0)


def main() -> None:
    """Serve one server until it goes."""
    out, sys.stdout = sys.stdout.buffer, sys.stderr  # nothing printed may get among the messages
    with suppress(AttributeError, OSError):
        os.nice(10)  # sliders come first
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, inbox), daemon=True).start()
    while True:
        message = inbox.get()
        if message[0] != "run":
            continue  # a stop that came too late
        try:
            work(message[1], message[2], inbox, out)
        except Exception as error:  # whatever it is, the server hears of it and the next run is served
            traceback.print_exc()
            known = isinstance(error, ValueError | MemoryError)
            send(out, ("failed", str(error) if known and str(error) else type(error).__name__))


if __name__ == "__main__":
    main()
