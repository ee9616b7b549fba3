"""What a page shows, as plain frozen values: cached on, linked, and printed as a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rnnviz.engine import CELLS, CellSpec, init_params
from rnnviz.engine.stack import READOUT
from rnnviz.signals import Signal, signal
from rnnviz.trained import TaskSequence, Trained

__all__ = [
    "DTYPES",
    "Input",
    "Model",
    "Source",
    "TaskSequence",
    "Trained",
    "caption_of",
    "loss_on",
    "model_of",
]

DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Model:
    """A cell and the seed and scheme that its parameters are drawn from.

    Attributes:
        cell: a name in ``CELLS``.
        options: the cell's conventions, as pairs.
        hidden_size: H.
        seed: of the parameters.
        scheme: a name in ``SCHEMES``.
        scheme_options: as pairs, e.g. ``(("radius", 1.2),)``.
        forget_bias: for cells with a forget gate; others ignore it.
        trained: a model out of the Memory lab, whose weights stand in for those that a seed draws.
        dtype: a name in ``DTYPES``: what it is computed in; its numbers are drawn in float64 and rounded.
    """

    cell: str
    options: tuple[tuple[str, str], ...] = ()
    hidden_size: int = 12
    seed: int = 0
    scheme: str = "torch"
    scheme_options: tuple[tuple[str, float], ...] = ()
    forget_bias: float | None = None
    trained: Trained | None = None
    dtype: str = "float64"

    @property
    def spec(self) -> CellSpec:
        """The cell under its conventions."""
        return CELLS[self.cell].with_options(**dict(self.options))

    @property
    def own_forget_bias(self) -> float | None:
        """The forget bias where the cell has the gate, None elsewhere."""
        return self.forget_bias if "f" in self.spec.gate_names else None

    def params(self, input_size: int) -> dict[str, Tensor]:
        """The parameters, of the model's dtype, for inputs of this size."""
        dtype = DTYPES[self.dtype]
        if self.trained:
            return {name: v.to(dtype) for name, v in self.trained.weights().items() if name not in READOUT}
        options: dict[str, Any] = {"forget_bias": self.own_forget_bias, **dict(self.scheme_options)}
        return init_params(self.spec, input_size, self.hidden_size, self.seed, self.scheme, dtype, **options)

    def reads(self, x: Tensor) -> Tensor:
        """An input as the model takes it, rounded to its dtype."""
        return x.to(DTYPES[self.dtype])

    @property
    def title(self) -> str:
        """The cell with its conventions."""
        options = ", ".join(value for _, value in self.spec.options)
        return f"{self.spec.title} ({options})" if options else self.spec.title

    @property
    def weights(self) -> str:
        """Where the weights come from, seed included."""
        if self.trained:
            return f"H = {self.hidden_size} · weights: {self.trained.title}"
        scheme = " ".join([self.scheme, *(f"{name} {value:g}" for name, value in self.scheme_options)])
        rounded = "" if self.dtype == "float64" else f" · in {self.dtype}"
        return f"H = {self.hidden_size} · weights: {scheme}, seed {self.seed}{rounded}"


def caption_of(models: Sequence[Model]) -> str:
    """Models in a few words, once for all that share their weights' scheme."""
    groups: dict[str, list[str]] = {}
    for model in models:
        bias = "" if model.own_forget_bias is None else f", forget bias {model.own_forget_bias:g}"
        groups.setdefault(model.weights, []).append(model.title + bias)
    return " · ".join(f"{'; '.join(titles)} · {weights}" for weights, titles in groups.items())


@dataclass(frozen=True)
class Input:
    """The arguments of `rnnviz.signals.signal`."""

    kind: str
    steps: int
    text: str = ""
    numbers: tuple[float, ...] = ()
    period: float = 25.0
    seed: int = 0

    def signal(self) -> Signal:
        """The sequence itself; raises ValueError as `signal` does."""
        return signal(**self.__dict__)


def loss_on(kind: str, h: Tensor) -> Tensor:
    """The loss that gradients are shown of: it reads the mean direction of the hidden state, 1ᵀh/√H.

    Its gradient at the step it reads has length 1, so that curves of different cells start together.

    Args:
        kind: ``last`` for the last step alone, ``all`` for the sum over steps.
        h: (T,B,H).
    """
    read: Any = h[-1:] if kind == "last" else h
    loss: Tensor = read.sum() / torch.tensor(float(h.shape[-1])).to(h.dtype).sqrt()
    return loss


Source = Input | TaskSequence  # whatever gives a signal


def model_of(trained: Trained) -> Model:
    """A trained model as every page takes it."""
    config = trained.config
    return Model(config.cell, config.options, config.hidden_size, config.seeds[trained.seed], trained=trained)
