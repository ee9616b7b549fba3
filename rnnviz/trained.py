"""Models out of the Memory lab and the sequences that they are judged by, as plain frozen values."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnviz.engine.task import Batch, Task
from rnnviz.engine.train import TrainConfig
from rnnviz.engine.validation import sequences
from rnnviz.runs import Run, pool
from rnnviz.signals import Signal
from rnnviz.tasks import TASKS


@dataclass(frozen=True)
class Trained:
    """A model as it stood after an update.

    Attributes:
        run: the run's name.
        cell, seed: which of its cells and seeds, from 0.
        step: a saved step; 0 is before training.
        weights_sum: a check sum of its weights: a run of this name may be deleted and another one brought.
    """

    run: str
    cell: int
    seed: int
    step: int
    weights_sum: int = 0

    def found(self) -> Run:
        """The run that it is of.

        Raises:
            ValueError: one that this server does not hold, or holds without this model.
        """
        run = pool().find(self.run)
        if run is None:
            raise ValueError(f"Run “{self.run}” is not on this server any more.")
        if self.cell >= len(run.weights) or self.seed >= len(run.job.configs[self.cell].seeds):
            raise ValueError(f"Run “{self.run}” has no cell {self.cell + 1} with seed {self.seed + 1}.")
        if self.step not in run.weights[self.cell]:
            saved = ", ".join(map(str, run.saved_steps(self.cell)))
            raise ValueError(f"Run “{self.run}” kept no weights of step {self.step}; allowed: {saved}.")
        return run

    @property
    def config(self) -> TrainConfig:
        """How it was trained."""
        return self.found().job.configs[self.cell]

    def weights(self) -> dict[str, Tensor]:
        """Its parameters, readout included, the trained numbers as float64."""
        kept = self.found().weights[self.cell][self.step]
        return {name: value[self.seed].double() for name, value in kept.items()}

    @property
    def title(self) -> str:
        """In a few words."""
        config = self.config
        return f"{config.spec.title}, seed {config.seeds[self.seed]}, {self.when}"

    @property
    def when(self) -> str:
        """How far its training had come."""
        return "before training" if self.step == 0 else f"after {self.step:,} steps"


def trained(run: Run, cell: int, seed: int, step: int) -> Trained:
    """A model of a run."""
    total = 0
    for value in run.weights[cell][step].values():
        total = zlib.crc32(value[seed].numpy().tobytes(), total)
    return Trained(run.id, cell, seed, step, total)


@dataclass(frozen=True)
class TaskSequence:
    """One of the sequences that runs of a task are judged by, as an input.

    Attributes:
        task, length: whose.
        index: which, from 0.
    """

    task: str
    length: int
    index: int

    @property
    def batch(self) -> Batch:
        """The sequence alone, (T,1,…)."""
        whole, b = sequences(TASKS[self.task], self.length), slice(self.index, self.index + 1)
        legal = None if whole.legal is None else whole.legal[:, b]
        return Batch(whole.x[:, b], whole.y[:, b], whole.mask[:, b], legal)

    def signal(self) -> Signal:
        """The sequence as every page takes it: x (T,1,D), float64."""
        task: Task = TASKS[self.task]
        batch = self.batch
        example = task.example(batch, 0)
        which = f"{task.title}, length {self.length}, sequence {self.index + 1}"
        caption = f"{which}: {example.sentence.rstrip('.')}"
        x = batch.x.double()
        code = f"x = torch.tensor({x[:, 0].tolist()!r}).unsqueeze(1)  # (T, B=1, D)"
        one_hot = bool(((x == 0) | (x == 1)).all()) and bool((x.sum(-1) == 1).all())
        symbols = tuple(task.inputs[k] for k in x[:, 0].argmax(1).tolist()) if one_hot else ()
        return Signal(x, symbols, caption, code, task.inputs)


def answers(model: Trained, sequence: TaskSequence, h: Tensor) -> tuple[str, ...]:
    """What a model says wherever something is asked, T strings, empty elsewhere; h (T,H) is its run."""
    task, batch, weights = TASKS[sequence.task], sequence.batch, model.weights()
    y = h @ weights["W_hy"].T + weights["b_y"]  # (T,O)
    if batch.y.dtype == torch.int64:
        said = [task.outputs[k] for k in y.argmax(1).tolist()]
    else:
        said = [" ".join(f"{v:.2f}".replace("-", "−") for v in row) for row in y.tolist()]
    return tuple(text if asked else "" for text, asked in zip(said, batch.mask[:, 0].tolist(), strict=True))
