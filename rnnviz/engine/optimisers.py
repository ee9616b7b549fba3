"""PyTorch's optimisers over stacked models: they work element by element, so each model is trained alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, optim


class Optimiser:
    """One of PyTorch's, with gradients handed to it and its memory as named tensors."""

    def __init__(self, make: Callable[..., optim.Optimizer], params: Sequence[Tensor], lr: float) -> None:
        """Optimise these tensors in place."""
        self._params = params
        self._optimiser = make(params, lr=lr)

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """One update with these gradients."""
        for value, gradient in zip(self._params, gradients, strict=True):
            value.grad = gradient.contiguous()  # the fused kernels take a gradient's memory as it lies
        self._optimiser.step()

    def tensors(self) -> dict[str, Tensor]:
        """What it remembers between updates, ``"0.exp_avg"`` for the first parameter's."""
        return {
            f"{k}.{name}": kept
            for k, value in enumerate(self._params)
            for name, kept in self._optimiser.state[value].items()
            if isinstance(kept, Tensor)
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Remember this instead."""
        for name, kept in tensors.items():
            k, _, key = name.partition(".")
            self._optimiser.state[self._params[int(k)]][key] = kept


OPTIMISERS: dict[str, Callable[[Sequence[Tensor], float], Optimiser]] = {
    "adam": partial(Optimiser, partial(optim.Adam, fused=True)),
    "sgd": partial(Optimiser, partial(optim.SGD, fused=True)),
    "rmsprop": partial(Optimiser, optim.RMSprop),
}

# What people call them: the names of their classes in torch.optim, too.
TITLES = {"adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop"}
