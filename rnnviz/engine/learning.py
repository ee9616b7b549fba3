"""What a training run showed so far: its records gathered into arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnviz.engine.train import Divergence, Record
from rnnviz.engine.train_config import TrainConfig

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Learning:
    """The records of one configuration, K seeds, N updates.

    Attributes:
        config: what is trained.
        steps: (N,), from 1, increasing.
        loss, grad_norm: (N,K); NaN after a divergence.
        clipped: (N,K), bool.
        eval_steps, metric: (M,) and (M,K): validation figures, and when; step 0 is before training.
        asked_steps, state_grad_norms: (P,) and (P,K,T): ‖∂L/∂h_t‖₂ for t = 1…T, and when. Where sequences
            differ in length from batch to batch, T is the longest, and NaN stands behind the others' end,
            as it does after a divergence.
        diverged: models that went out of bounds.
        solved: whether the stop figure is reached.
        finished: whether no record follows.
    """

    config: TrainConfig
    steps: NDArray[np.int64]
    loss: Floats
    grad_norm: Floats
    clipped: NDArray[np.bool_]
    eval_steps: NDArray[np.int64]
    metric: Floats
    asked_steps: NDArray[np.int64]
    state_grad_norms: Floats
    diverged: tuple[Divergence, ...] = ()
    solved: bool = False
    finished: bool = False

    @property
    def step(self) -> int:
        """The last update."""
        return int(self.steps[-1]) if len(self.steps) else 0

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(getattr(self, name).nbytes for axis, names in AXES.items() for name in (axis, *names))

    def upto(self, step: int) -> Learning:
        """The same as it stood after an update."""
        cut: dict[str, Any] = {}
        for axis, names in AXES.items():
            n = int(np.searchsorted(getattr(self, axis), step, "right")) if step else 0
            cut |= {name: getattr(self, name)[:n] for name in (axis, *names)}
        early = tuple(d for d in self.diverged if d.step <= step)
        whole = step >= self.step
        return replace(
            self, **cut, diverged=early, solved=whole and self.solved, finished=whole and self.finished
        )

    def then(self, other: Learning) -> Learning:
        """Both, one after the other."""
        T = max(self.state_grad_norms.shape[2], other.state_grad_norms.shape[2])
        both: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(other, name)])
            for axis, names in AXES.items()
            for name in (axis, *names)
            if name != "state_grad_norms"
        }
        norms = np.concatenate([_wide(self.state_grad_norms, T), _wide(other.state_grad_norms, T)])
        return replace(
            other,
            **both,
            state_grad_norms=norms,
            diverged=self.diverged + other.diverged,
            solved=self.solved or other.solved,
            finished=self.finished or other.finished,
        )


AXES = {
    "steps": ("loss", "grad_norm", "clipped"),
    "eval_steps": ("metric",),
    "asked_steps": ("state_grad_norms",),
}


def learning_of(config: TrainConfig, records: Iterable[Record] = ()) -> Learning:
    """Gather records of one configuration, in their order; none give an empty one."""
    rows = list(records)
    K = len(config.seeds)
    judged = [(row.step, row.metric.numpy()) for row in rows if row.evaluated]
    if rows and rows[0].untrained is not None:
        judged.insert(0, (0, rows[0].untrained.numpy()))
    asked = [(row.step, row.state_grad_norms.numpy()) for row in rows if row.state_grad_norms is not None]
    T = max((norms.shape[1] for _, norms in asked), default=0)
    return Learning(
        config,
        np.array([row.step for row in rows], np.int64),
        _stack([row.loss.numpy() for row in rows], K),
        _stack([row.grad_norm.numpy() for row in rows], K),
        np.array([row.clipped.numpy() for row in rows], np.bool_).reshape(-1, K),
        np.array([step for step, _ in judged], np.int64),
        _stack([metric for _, metric in judged], K),
        np.array([step for step, _ in asked], np.int64),
        np.array([_wide(norms, T) for _, norms in asked], np.float64).reshape(len(asked), K, T),
        tuple(d for row in rows for d in row.diverged),
        any(row.solved for row in rows),
        any(row.last for row in rows),
    )


def _stack(rows: list[Floats], K: int) -> Floats:
    return np.array(rows, np.float64).reshape(-1, K)


def _wide(norms: Floats, T: int) -> Floats:
    """(…,K,T′) with NaN behind its end, up to T."""
    behind = [(0, 0)] * (norms.ndim - 1) + [(0, T - norms.shape[-1])]
    return np.pad(norms, behind, constant_values=np.nan)
