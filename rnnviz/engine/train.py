"""Train the models of several seeds together, as an iterator of records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnviz.engine.batches import counted, stacked
from rnnviz.engine.kernels import kernel_of
from rnnviz.engine.norms import log_norm
from rnnviz.engine.optimisers import OPTIMISERS
from rnnviz.engine.stack import READOUT, clip_coefficients, draw_models, global_norms, read, stream
from rnnviz.engine.task import Batch
from rnnviz.engine.train_config import TrainConfig
from rnnviz.engine.validation import Validation

__all__ = ["Checkpoint", "Divergence", "Record", "TrainConfig", "Training", "train"]


@dataclass(frozen=True)
class Divergence:
    """A model that became NaN or infinite, and the last gradient norm before it."""

    seed: int
    step: int
    what: str
    grad_norm_before: float


@dataclass(frozen=True)
class Record:
    """One update of K models.

    Attributes:
        step: from 1.
        loss: of each model's batch before the update, (K,), float64; NaN after a divergence.
        metric: the newest validation figure, (K,), float64; NaN after a divergence.
        grad_norm: global norm before clipping, (K,), float64.
        clipped: whether it was clipped, (K,), bool.
        evaluated: whether ``metric`` is of this very step.
        untrained: the validation figure before training, (K,); None after the first step.
        state_grad_norms: ‖∂L/∂h_t‖₂ over batch and units for t = 1…T, (K,T), float64; None where not
            asked, NaN after a divergence.
        diverged: models that went out of bounds at this step.
        solved: whether ``stop_at`` is reached.
        last: whether no record follows.
    """

    step: int
    loss: Tensor
    metric: Tensor
    grad_norm: Tensor
    clipped: Tensor
    evaluated: bool = False
    untrained: Tensor | None = None
    state_grad_norms: Tensor | None = None
    diverged: tuple[Divergence, ...] = ()
    solved: bool = False
    last: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stands, to go on from to the bit: tensors by name, and plain values."""

    config: TrainConfig
    step: int
    tensors: Mapping[str, Tensor]
    diverged: tuple[Divergence, ...]
    finished: bool = False


def train(config: TrainConfig, resume: Checkpoint | None = None) -> Training:
    """Train K models, one a seed, together.

    Args:
        config: what to train.
        resume: a checkpoint of the same configuration, to go on from.

    Returns:
        An iterator of `Record`, one an update, with `Training.checkpoint` and `Training.params`.

    Raises:
        ValueError: a checkpoint of another configuration.

    >>> config = TrainConfig(task="adding", length=10, cell="rnn", hidden_size=4, seeds=(0, 1), steps=2)
    >>> [(record.step, tuple(record.loss.shape)) for record in train(config)]
    [(1, (2,)), (2, (2,))]
    """
    return Training(config, resume)


class Training:
    """A run that yields its records; see `train`."""

    def __init__(self, config: TrainConfig, resume: Checkpoint | None = None) -> None:
        """Draw the models, or take them from a checkpoint."""
        if resume is not None and resume.config != config:
            raise ValueError("resume is a checkpoint of another configuration; allowed: one of this config")
        self.config, self.spec = config, config.spec
        self.task = config.memory_task
        self.step = 0
        self.diverged: tuple[Divergence, ...] = ()
        self._finished = False
        self.params = draw_models(config, self.spec, self.task.input_size, self.task.output_size)
        self._optimiser = OPTIMISERS[config.optimizer](list(self.params.values()), config.lr)
        self._kernel = kernel_of(self.spec)
        self._asked = torch.empty(0), torch.empty(0)  # steps that were read, and dL/dh_t
        self._streams = [stream(seed, "data") for seed in config.seeds]
        self._validation = Validation(config)
        self._alive = torch.ones(len(config.seeds), dtype=torch.bool)
        self._grad_norm = torch.zeros(len(config.seeds), dtype=torch.float64)
        if resume is None:
            self._metric = self._validation.of(self.params)
        else:
            self._restore(resume)

    def __iter__(self) -> Training:
        """Itself."""
        return self

    def __next__(self) -> Record:
        """One update."""
        if self._finished:
            raise StopIteration
        config = self.config
        self.step += 1
        asked = config.state_grads_every and (self.step - 1) % config.state_grads_every == 0
        loss, gradients, state_grad_norms = self._gradients(self._draw(), bool(asked))
        norms = global_norms(gradients)
        before, self._grad_norm = self._grad_norm, norms
        new = self._mark(loss, norms, before)
        if state_grad_norms is not None:
            state_grad_norms[~self._alive] = torch.nan
        limit = float("inf") if config.clip is None else config.clip
        self._update(gradients, clip_coefficients(norms, limit))
        untrained = self._metric.clone() if self.step == 1 else None
        evaluated = self.step % config.eval_every == 0 or self.step == config.steps
        if evaluated:
            self._metric = self._validation.of(self.params)
        self._metric[~self._alive] = torch.nan
        solved = evaluated and self._solved()
        self._finished = solved or self.step == config.steps or not self._alive.any().item()
        return Record(
            self.step,
            loss,
            self._metric.clone(),
            norms,
            norms > limit,
            evaluated,
            untrained,
            state_grad_norms,
            new,
            solved,
            self._finished,
        )

    def checkpoint(self) -> Checkpoint:
        """Where the run stands now."""
        tensors = {f"params.{name}": value.clone() for name, value in self.params.items()}
        tensors |= {f"optimiser.{name}": value.clone() for name, value in self._optimiser.tensors().items()}
        tensors |= {f"stream.{k}": rng.get_state() for k, rng in enumerate(self._streams)}
        tensors |= {"metric": self._metric.clone(), "alive": self._alive.clone()}
        tensors |= {"grad_norm": self._grad_norm.clone()}
        return Checkpoint(self.config, self.step, tensors, self.diverged, self._finished)

    def _restore(self, kept: Checkpoint) -> None:
        self.step, self.diverged, self._finished = kept.step, kept.diverged, kept.finished
        for name, value in self.params.items():
            value.copy_(kept.tensors[f"params.{name}"])
        start = "optimiser."
        self._optimiser.restore(
            {n.removeprefix(start): v.clone() for n, v in kept.tensors.items() if n.startswith(start)}
        )
        for k, rng in enumerate(self._streams):
            rng.set_state(kept.tensors[f"stream.{k}"])
        self._metric, self._alive = kept.tensors["metric"].clone(), kept.tensors["alive"].clone()
        self._grad_norm = kept.tensors["grad_norm"].clone()

    def _draw(self) -> Batch:
        """The next sequences of every model, each from its own stream, (T,K,B,…)."""
        config = self.config
        return stacked(
            [self.task.draw(config.batch_size, config.length, rng) for rng in self._streams],
            next(iter(self.params.values())).dtype,
        )

    def _gradients(self, batch: Batch, asked: bool) -> tuple[Tensor, list[Tensor], Tensor | None]:
        """Loss (K,), the gradient of every parameter, and ‖∂L/∂h_t‖ (K,T) where asked."""
        h = self._kernel.forward(self.params, batch.x, truncate=self.config.truncate)["h"][1:]
        part, steps = counted(batch)
        with torch.enable_grad():
            read_h = h[steps].requires_grad_()
            readout = {name: self.params[name].detach().requires_grad_() for name in READOUT}
            loss = self.task.loss(read(readout, read_h), part)
            d_read, *d_readout = torch.autograd.grad(loss.sum(), [read_h, *readout.values()])
        found = self._kernel.backward(self._spread(steps, d_read, h))
        gradients = {**found.d_params, **dict(zip(READOUT, d_readout, strict=True))}
        norms = None
        if asked:
            d_states = found.d_states["h"][1:]
            norms = torch.stack([log_norm(d_states[:, k]).exp() for k in range(d_states.shape[1])])
        return loss.detach().double(), [gradients[name] for name in self.params], norms

    def _spread(self, steps: Tensor, d_read: Tensor, h: Tensor) -> Tensor:
        """dL/dh_t (T,K,B,H), zero but at the steps that were read; cleared only where those have changed."""
        read, d_h = self._asked
        if d_h.shape != h.shape or not torch.equal(read, steps):
            d_h = torch.zeros_like(h)
            self._asked = steps, d_h
        d_h[steps] = d_read
        return d_h

    def _mark(self, loss: Tensor, norms: Tensor, before: Tensor) -> tuple[Divergence, ...]:
        """Note which models went out of bounds just now; from here on they rest."""
        new = []
        for k, seed in enumerate(self.config.seeds):
            if self._alive[k] and not (loss[k].isfinite() and norms[k].isfinite()):
                what = "gradient" if loss[k].isfinite() else "loss"
                value = (norms if what == "gradient" else loss)[k].item()
                new.append(Divergence(seed, self.step, f"the {what} is {value}", before[k].item()))
                self._alive[k] = False
        loss[~self._alive] = torch.nan
        norms[~self._alive] = torch.nan
        self.diverged += tuple(new)
        return tuple(new)

    def _update(self, gradients: list[Tensor], scale: Tensor) -> None:
        """One step of the optimiser; models that rest keep the weights they had."""
        resting = (~self._alive).nonzero().flatten().tolist()
        kept = [[(k, value[k].clone()) for k in resting] for value in self.params.values()]
        for g in gradients:
            if (scale < 1).any():
                g.mul_(scale.to(g.dtype).view(-1, *[1] * (g.dim() - 1)))
            if resting:
                g[~self._alive] = 0.0
        self._optimiser.step(gradients)
        for value, rows in zip(self.params.values(), kept, strict=True):
            for k, row in rows:
                value[k] = row

    def _solved(self) -> bool:
        goal = self.config.stop_at
        return goal is not None and all(self.task.metric.reached(m, goal) for m in self._metric.tolist())
