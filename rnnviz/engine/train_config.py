"""Everything that a training run depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rnnviz.engine import check
from rnnviz.engine.cells import CELLS
from rnnviz.engine.optimisers import OPTIMISERS
from rnnviz.engine.params import init_params
from rnnviz.engine.schemes import SCHEMES
from rnnviz.engine.spec import CellSpec
from rnnviz.engine.task import Task
from rnnviz.tasks import TASKS

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that a training run depends on.

    Attributes:
        task, length: a name in ``TASKS`` and a length that it allows.
        cell, options: a name in ``CELLS`` and its conventions, as pairs.
        hidden_size: H, at least 1.
        seeds: one model each; a seed draws its weights and its training sequences.
        steps: updates, at least 1.
        batch_size: sequences an update.
        optimizer: a name in ``OPTIMISERS``, with PyTorch's other settings; ``lr`` its learning rate.
        clip: largest global norm of a gradient; None for none.
        scheme, scheme_options, forget_bias: as for `init_params`.
        truncate: steps after which the way back is cut, the state carried on; None for none.
        stop_at: stop once every seed's validation figure is at or past this; None for never.
        eval_every: steps between validations.
        state_grads_every: steps between records of ‖∂L/∂h_t‖; 0 for none.
        dtype: ``float32`` or ``float64``.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    task: str
    length: int
    cell: str = "lstm"
    options: tuple[tuple[str, str], ...] = ()
    hidden_size: int = 32
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 1000
    batch_size: int = 50
    optimizer: str = "adam"
    lr: float = 1e-2
    clip: float | None = 1.0
    scheme: str = "torch"
    scheme_options: tuple[tuple[str, float], ...] = ()
    forget_bias: float | None = None
    truncate: int | None = None
    stop_at: float | None = None
    eval_every: int = 100
    state_grads_every: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        for name, known in (
            ("task", TASKS),
            ("cell", CELLS),
            ("optimizer", OPTIMISERS),
            ("scheme", SCHEMES),
            ("dtype", DTYPES),
        ):
            if getattr(self, name) not in known:
                allowed = ", ".join(map(repr, known))
                raise ValueError(f"{name} is {getattr(self, name)!r}; allowed: {allowed}")
        for name in ("hidden_size", "steps", "batch_size", "eval_every"):
            check.whole(name, getattr(self, name), 1)
        check.whole("state_grads_every", self.state_grads_every, 0)
        if self.truncate is not None:
            check.whole("truncate", self.truncate, 1)
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds is {self.seeds!r}; allowed: at least one, and each once")
        for seed in self.seeds:
            check.whole("seed", seed, 0, 2**63 - 1)
        check.real("lr", self.lr, 1e-9, 1e3)
        if self.clip is not None:
            check.real("clip", self.clip, 1e-9, 1e9)
        if self.stop_at is not None:
            check.real("stop_at", self.stop_at, -1e9, 1e9)
        self.memory_task.check(self.batch_size, self.length)
        # Of one unit: refuses options, schemes and biases that the cell has not, as the real ones would.
        options: dict[str, Any] = {"forget_bias": self.forget_bias, **dict(self.scheme_options)}
        init_params(self.spec, 1, 1, 0, self.scheme, **options)

    @property
    def memory_task(self) -> Task:
        """The task itself."""
        return TASKS[self.task]

    @property
    def spec(self) -> CellSpec:
        """The cell under its conventions."""
        return CELLS[self.cell].with_options(**dict(self.options))
