"""A run as the server sees it: what it has shown so far, and where it stands."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rnnviz.engine.learning import Learning, learning_of
from rnnviz.engine.train import Checkpoint
from rnnviz.run_config import run_id
from rnnviz.run_file import Weights, versions
from rnnviz.runs.job import Job

QUEUED, RUNNING, PAUSED, FINISHED = "queued", "running", "paused", "finished"
CANCELLED, DIED = "cancelled", "died"
ACTIVE = (QUEUED, RUNNING)


@dataclass
class Progress:
    """What a worker sends: what happened since the last time, one entry a cell, K seeds each.

    Attributes:
        learnings: new records.
        weights: step -> parameters, name -> (K,…), of newly saved steps.
        seconds: time that each cell's updates took.
        checkpoints: to go on from, where the worker sends them; else empty.
    """

    learnings: Sequence[Learning]
    weights: Sequence[Mapping[int, Weights]]
    seconds: Sequence[float]
    checkpoints: Sequence[Checkpoint] = ()


@dataclass(eq=False)
class Run:
    """A job and what became of it; one thread writes, any may read.

    Attributes:
        job: what is trained.
        owner: who may pause and cancel it.
        id: its name in a link: that of its configuration, and one of its own where it was started here.
        status: ``queued``, ``running``, ``paused``, ``finished``, ``cancelled`` or ``died``.
        learnings: what each cell showed so far.
        weights: of each cell, saved step -> parameters; step 0 is before training.
        seconds: time that each cell's updates took.
        checkpoints: where each cell can go on; empty before the first.
        why: what ended it early, in a sentence.
        unkept: why the store does not have it, in a sentence, or "".
        versions: of what trained it, name -> version.
        brought: whether it came as a file: its numbers are what the file says.
        elsewhere: whether another server trains it at this moment.
        changed: when anything changed last, on the monotonic clock.
    """

    job: Job
    owner: str
    id: str = ""
    status: str = QUEUED
    learnings: tuple[Learning, ...] = ()
    weights: tuple[dict[int, Weights], ...] = ()
    seconds: tuple[float, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    why: str = ""
    unkept: str = ""
    versions: Mapping[str, str] = field(default_factory=versions)
    brought: bool = False
    elsewhere: bool = False
    changed: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Nothing has happened yet."""
        self.id = self.id or f"{run_id(self.job.configs)}-{secrets.token_hex(2)}"
        self._begin()

    @property
    def key(self) -> str:
        """Its name in the store: that of its configuration."""
        return self.id.partition("-")[0]

    @property
    def active(self) -> bool:
        """Whether more is to come without anybody's doing."""
        return self.status in ACTIVE

    @property
    def step(self) -> int:
        """Updates made, of the cell that is furthest."""
        return max(learning.step for learning in self.learnings)

    @property
    def share(self) -> float:
        """How much of the budget is done, 0…1; 1 for a cell that stopped early."""
        parts = [
            1.0 if learning.finished else learning.step / learning.config.steps for learning in self.learnings
        ]
        return sum(parts) / len(parts)

    def seconds_left(self) -> float | None:
        """Time that the rest of the budget takes at the pace so far; None before there is a pace."""
        left = 0.0
        for learning, seconds in zip(self.learnings, self.seconds, strict=True):
            if learning.finished:
                continue
            if learning.step == 0 or seconds == 0:
                return None
            left += (learning.config.steps - learning.step) * seconds / learning.step
        return left

    @property
    def nbytes(self) -> int:
        """Bytes of the weights and records that it keeps."""
        weights = (value.nbytes for cell in self.weights for kept in cell.values() for value in kept.values())
        return sum(weights) + sum(learning.nbytes for learning in self.learnings)

    def saved_steps(self, cell: int) -> list[int]:
        """The steps whose weights are kept."""
        return sorted(self.weights[cell])

    def take(self, progress: Progress) -> None:
        """Add what a worker sent."""
        self.learnings = tuple(
            old.then(new) for old, new in zip(self.learnings, progress.learnings, strict=True)
        )
        self.weights = tuple({**old, **new} for old, new in zip(self.weights, progress.weights, strict=True))
        self.seconds = tuple(old + new for old, new in zip(self.seconds, progress.seconds, strict=True))
        if progress.checkpoints:
            self.checkpoints = tuple(progress.checkpoints)
        self.changed = time.monotonic()

    def now(self, status: str, why: str = "") -> None:
        """Change its status."""
        self.status, self.why, self.changed = status, why, time.monotonic()

    def rewind(self) -> None:
        """Forget what came after the last checkpoint: a worker that goes on from it will show it again."""
        if not self.checkpoints:
            self._begin()
            return
        steps = [kept.step for kept in self.checkpoints]
        pace = [s / max(v.step, 1) for s, v in zip(self.seconds, self.learnings, strict=True)]
        self.learnings = tuple(v.upto(step) for v, step in zip(self.learnings, steps, strict=True))
        self.weights = tuple(
            {saved: kept for saved, kept in of.items() if saved <= step}
            for of, step in zip(self.weights, steps, strict=True)
        )
        self.seconds = tuple(each * step for each, step in zip(pace, steps, strict=True))

    def _begin(self) -> None:
        n = len(self.job.configs)
        self.learnings = tuple(learning_of(config) for config in self.job.configs)
        self.weights, self.seconds = tuple({} for _ in range(n)), (0.0,) * n
