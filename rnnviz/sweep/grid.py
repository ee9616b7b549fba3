"""What a sweep trains: every combination of its axes, the short sequences first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from inspect import signature

from rnnviz.engine.cells import CELLS
from rnnviz.engine.params import init_params
from rnnviz.engine.schemes import SCHEMES
from rnnviz.engine.spec import CellSpec
from rnnviz.engine.stack import parameter_count
from rnnviz.engine.train_config import TrainConfig
from rnnviz.engine.validation import COUNT
from rnnviz.runs import limits
from rnnviz.runs.job import Job

MOST = 4096  # configurations that are remembered: a page asks at every rerun
A_STEP = 250_000  # what a time step costs beside its arithmetic, in parameters × sequences: measured


@dataclass(frozen=True)
class Sweep:
    """One training for every length, cell, scheme and learning rate.

    Attributes:
        base: what all share: task, size, seeds, steps, batch, optimiser, … Its length, cell, scheme and
            learning rate are replaced; its conventions are for its own cell, its scheme's options for its
            own scheme, its forget bias for cells that have the gate.
        lengths: of the task, in its own count; trained from the shortest up.
        cells: names in ``CELLS``.
        schemes: names in ``SCHEMES``. A cell that cannot take one is drawn as PyTorch does.
        lrs: learning rates.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    base: TrainConfig
    lengths: tuple[int, ...]
    cells: tuple[str, ...]
    schemes: tuple[str, ...] = ("torch",)
    lrs: tuple[float, ...] = (1e-2,)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, or not here."""
        _each_once("lengths", self.lengths)
        _each_once("cells", self.cells, tuple(CELLS))
        _each_once("schemes", self.schemes, tuple(SCHEMES))
        _each_once("lrs", self.lrs)
        for length in self.lengths:
            self.base.memory_task.check(1, length)
        # Before any is made: a product can be of any size.
        limits.refuse("sweep", len(self.lengths) * len(self.cells) * len(self.schemes) * len(self.lrs))
        raised = os.environ.get(limits.VARIABLE)
        limits.refuse("sweep_work", sum(_checked(config, raised) for config in self.configs))

    @cached_property
    def configs(self) -> tuple[TrainConfig, ...]:
        """What is trained, each once: by length from the shortest, then cell, scheme and learning rate."""
        return tuple(
            dict.fromkeys(
                self.config(length, cell, scheme, lr)
                for length in sorted(self.lengths)
                for cell in self.cells
                for scheme in self.schemes
                for lr in self.lrs
            )
        )

    def config(self, length: int, cell: str, scheme: str, lr: float) -> TrainConfig:
        """What is trained at one point of the grid; the same at several where a cell cannot take a scheme."""
        return _config(self.base, length, cell, scheme, lr)


@lru_cache(maxsize=MOST)
def _config(base: TrainConfig, length: int, cell: str, scheme: str, lr: float) -> TrainConfig:
    spec = CELLS[cell]
    if cell == base.cell:
        spec = spec.with_options(**dict(base.options))
    scheme = scheme if _can_take(spec, scheme) else "torch"
    options = dict(base.scheme_options) if scheme == base.scheme else {}
    sets_gates = "t_max" in signature(SCHEMES[scheme]).parameters
    if sets_gates:  # for memories as long as what is asked, which is at least two steps
        options["t_max"] = float(max(2, min(length, base.memory_task.steps(length))))
    forget = base.forget_bias if "f" in spec.gate_names and not sets_gates else None
    return replace(
        base,
        length=length,
        cell=cell,
        options=spec.options,
        scheme=scheme,
        scheme_options=tuple(options.items()),
        forget_bias=forget,
        lr=lr,
    )


@lru_cache(maxsize=MOST)
def _checked(config: TrainConfig, raised: str | None) -> float:
    """Refuse what is too much for this machine, whose owner may have raised that; what it costs at most."""
    limits.check(Job((config,)))
    return limits.work(Job((config,)))


@lru_cache(maxsize=MOST)
def work_of(config: TrainConfig) -> float:
    """What a training costs at most, in parameters × time steps × sequences."""
    task, K = config.memory_task, len(config.seeds)
    P = parameter_count(config.spec, task.input_size, config.hidden_size, task.output_size)
    judged = -(-config.steps // config.eval_every) + 1
    # Forward alone is a third of an update.
    updates = config.steps * (A_STEP + P * K * config.batch_size)
    return float(task.steps(config.length) * (updates + judged * P * K * COUNT / 3))


def name_of(config: TrainConfig) -> str:
    """One training of a sweep, as a sentence names it."""
    weights = "" if config.scheme == "torch" else f", {config.scheme} weights"
    return f"{config.spec.title} at length {config.length}, learning rate {config.lr:g}{weights}"


@cache
def _can_take(spec: CellSpec, scheme: str) -> bool:
    """Whether a cell's weights can be drawn so."""
    try:
        init_params(spec, 1, 1, 0, scheme)
    except ValueError:
        return False
    return True


def _each_once(name: str, values: Sequence[object], known: tuple[str, ...] = ()) -> None:
    """Refuse an axis that is empty, names what is unknown, or names anything twice."""
    allowed = f" of {', '.join(map(repr, known))}" if known else ""
    if not values or len(set(values)) < len(values) or (known and not set(values) <= set(known)):
        raise ValueError(f"{name} is {values!r}; allowed: at least one{allowed}, and each once")
