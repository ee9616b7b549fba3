"""Whether a run's numbers have the shapes and types that its configuration gives them."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rnnviz.engine.learning import AXES, Learning
from rnnviz.engine.optimisers import OPTIMISERS
from rnnviz.engine.params import init_params
from rnnviz.engine.stack import parameter_count
from rnnviz.engine.train import Checkpoint
from rnnviz.engine.train_config import TrainConfig

_TYPES = {"steps": np.int64, "eval_steps": np.int64, "asked_steps": np.int64, "clipped": np.bool_}


def check_cell(
    learning: Learning,
    saved: NDArray[Any],
    weights: Mapping[str, NDArray[Any]],
    checkpoint: Checkpoint | None,
) -> None:
    """Refuse a cell that the trainer cannot have written.

    Args:
        learning: its curves.
        saved: steps whose weights are kept, (S,).
        weights: name -> (S,K,…).
        checkpoint: where it can go on.

    Raises:
        ValueError: naming what is wrong, how it is and how it should be.
    """
    config = learning.config
    _check_curves(learning)
    _expect("saved", saved, (len(saved),), np.int64)
    _check_steps("saved", saved, 0, learning.step)
    if len(saved) or weights or checkpoint:
        shapes = _shapes(config, weights, checkpoint)
        if len(saved) or weights:
            _check_names(weights, shapes)
        for name, value in weights.items():
            _expect(name, value, (len(saved), *shapes[name]), np.dtype(config.dtype))
        if checkpoint is not None:
            _check_checkpoint(checkpoint, shapes, learning.step)


def _check_curves(learning: Learning) -> None:
    K = len(learning.config.seeds)
    for axis, names in AXES.items():
        steps = getattr(learning, axis)
        _expect(axis, steps, (len(steps),) if steps.ndim else (0,), np.int64)
        for name in names:
            value = getattr(learning, name)
            tail = value.shape[2:3] if name == "state_grad_norms" else ()
            _expect(name, value, (len(steps), K, *tail), _TYPES.get(name, np.float64))
    N = len(learning.steps)
    if learning.config.steps < N or not np.array_equal(learning.steps, np.arange(1, N + 1)):
        raise ValueError(f"steps are {N:,}; allowed: 1, 2, 3 … up to {learning.config.steps:,}")
    _check_steps("eval_steps", learning.eval_steps, 0, N)
    _check_steps("asked_steps", learning.asked_steps, 1, N)
    if learning.state_grad_norms.ndim != 3:
        raise ValueError(f"state_grad_norms has {learning.state_grad_norms.ndim} axes; allowed: 3")


def _shapes(
    config: TrainConfig, weights: Mapping[str, NDArray[Any]], checkpoint: Checkpoint | None
) -> dict[str, tuple[int, ...]]:
    """Each parameter's shape, (K,…); none is made before a file has proved to hold as many numbers."""
    task, K = config.memory_task, len(config.seeds)
    want = K * parameter_count(config.spec, task.input_size, config.hidden_size, task.output_size)
    if weights:
        there = sum(prod(value.shape[1:]) for value in weights.values())
    else:
        tensors = checkpoint.tensors if checkpoint else {}
        there = sum(value.numel() for name, value in tensors.items() if name.startswith("params."))
    if there != want:
        raise ValueError(f"the weights are {there:,} numbers; the configuration has {want:,}")
    cell = init_params(config.spec, task.input_size, config.hidden_size, 0)
    shapes = {name: (K, *value.shape) for name, value in cell.items()}
    O = task.output_size
    return {**shapes, "W_hy": (K, O, config.hidden_size), "b_y": (K, O)}


def _check_checkpoint(checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]], last: int) -> None:
    config = checkpoint.config
    K, dtype = len(config.seeds), getattr(torch, config.dtype)
    if not 0 <= checkpoint.step <= last:
        raise ValueError(f"its checkpoint is of step {checkpoint.step}; allowed: 0 to {last}")
    params = [torch.zeros(shape, dtype=dtype) for shape in shapes.values()]
    optimiser = OPTIMISERS[config.optimizer](params, config.lr)
    if checkpoint.step:  # before its first step an optimiser remembers nothing
        optimiser.step([torch.zeros_like(value) for value in params])
    state = torch.Generator().get_state()
    want = {
        **{f"params.{name}": value for name, value in zip(shapes, params, strict=True)},
        **{f"optimiser.{name}": value for name, value in optimiser.tensors().items()},
        **{f"stream.{k}": state for k in range(K)},
        "metric": torch.zeros(K, dtype=torch.float64),
        "alive": torch.zeros(K, dtype=torch.bool),
        "grad_norm": torch.zeros(K, dtype=torch.float64),
    }
    _check_names(checkpoint.tensors, want)
    for name, value in checkpoint.tensors.items():
        _expect(name, value.numpy(), tuple(want[name].shape), want[name].numpy().dtype)
    for k in range(K):
        try:
            torch.Generator().set_state(checkpoint.tensors[f"stream.{k}"])
        except RuntimeError:
            raise ValueError(f"stream {k} of random numbers has no valid state") from None


def _check_names(given: Mapping[str, Any], want: Mapping[str, Any]) -> None:
    odd = sorted(set(given) ^ set(want))
    if odd:
        raise ValueError(f"“{odd[0][:40]}” is {'missing' if odd[0] in want else 'not of this cell'}")


def _check_steps(name: str, steps: NDArray[Any], low: int, high: int) -> None:
    if len(steps) and not (steps[0] >= low and steps[-1] <= high and bool((np.diff(steps) > 0).all())):
        raise ValueError(f"{name} are not increasing from {low} to {high:,}")


def _expect(name: str, value: NDArray[Any], shape: tuple[int, ...], dtype: Any) -> None:
    if value.shape != shape or value.dtype != np.dtype(dtype):
        raise ValueError(
            f"{name} is {value.dtype} of shape {value.shape}; the configuration has {np.dtype(dtype)} {shape}"
        )
