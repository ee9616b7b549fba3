"""Whether what a run says of itself is complete, and its numbers are as its configuration has them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, prod
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
_REAL = (float, int)
STATUSES = ("queued", "running", "paused", "finished", "cancelled", "died")
_HEAD = {
    "status": str,
    "why": str,
    "owner": str,
    "versions": dict,
    "apart": list,
    "brought": bool,
    "when": _REAL,
    "cells": list,
}
_CELL = {
    "config": dict,
    "seconds": _REAL,
    "diverged": list,
    "step": int,
    "solved": bool,
    "finished": bool,
}
_CHECKPOINT = {"step": int, "finished": bool, "diverged": list}
_DIVERGED = {"seed": int, "step": int, "what": str, "grad_norm_before": _REAL}


def check_head(head: Mapping[str, Any]) -> None:
    """Refuse a head whose entries are missing or of other types.

    Raises:
        ValueError: naming the entry, what it is and what it should be.
    """
    _entries("its head", head, _HEAD)
    if head["status"] not in STATUSES:
        raise ValueError(f"status is {head['status']!r:.40}; expected: {', '.join(STATUSES)}")
    if not isfinite(head["when"]):
        raise ValueError(f"when is {head['when']}; expected: a number")
    if not head["cells"]:
        raise ValueError("cells is empty; expected: at least one")
    if len(head["apart"]) not in (0, len(head["cells"])):
        raise ValueError(f"apart is of {len(head['apart'])} cells; expected: {len(head['cells'])}, or none")
    for steps in head["apart"]:
        if type(steps) is not list or any(type(step) is not int for step in steps):
            raise ValueError("apart holds what is no list of steps")
    for k, cell in enumerate(head["cells"]):
        _entries(f"cell {k}", cell, _CELL)
        if not (cell["seconds"] >= 0 and isfinite(cell["seconds"])):
            raise ValueError(f"seconds of cell {k} is {cell['seconds']}; expected: a number from 0 up")
        lists = [cell["diverged"]]
        if "checkpoint" in cell:
            _entries(f"the checkpoint of cell {k}", cell["checkpoint"], _CHECKPOINT)
            lists.append(cell["checkpoint"]["diverged"])
        for divergence in (each for entries in lists for each in entries):
            _entries(f"a divergence of cell {k}", divergence, _DIVERGED)
    if head["status"] == "finished" and not all(cell["finished"] for cell in head["cells"]):
        raise ValueError("status is finished, which its cells are not")


def _entries(what: str, given: Any, types: Mapping[str, Any]) -> None:
    if type(given) is not dict:
        raise ValueError(f"{what} is a {type(given).__name__}; expected: an object")
    for name, allowed in types.items():
        kinds = allowed if isinstance(allowed, tuple) else (allowed,)
        if name not in given:
            raise ValueError(f"{what} has no “{name}”")
        if type(given[name]) not in kinds:
            raise ValueError(
                f"{name} of {what} is a {type(given[name]).__name__}; expected: {kinds[0].__name__}"
            )
        if kinds is _REAL and not isinstance(given[name], float) and abs(given[name]) > 2**1000:
            raise ValueError(f"{name} of {what} is too large")


def parted(arrays: Mapping[str, NDArray[Any]], resumable: bool) -> dict[str, dict[str, NDArray[Any]]]:
    """A cell's arrays by their part: learning, weights, checkpoint; ``saved`` aside.

    Raises:
        ValueError: one is missing, or is none that a run has.
    """
    parts: dict[str, dict[str, NDArray[Any]]] = {"learning": {}, "weights": {}, "checkpoint": {}}
    for name, value in arrays.items():
        part, _, rest = name.partition(".")
        if name != "saved" and (part not in parts or (part == "checkpoint" and not resumable)):
            raise ValueError(f"“{name[:40]}” is not of this cell")
        if name != "saved":
            parts[part][rest] = value
    want = {name: None for axis, names in AXES.items() for name in (axis, *names)}
    _check_names(parts["learning"], want)
    _check_names({name: None for name in arrays if name == "saved"}, {"saved": None})
    return parts


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
    _expect("saved", saved, (saved.size,), np.int64)
    _check_steps("saved", saved, 0, learning.step)
    for name, value in weights.items():
        if not len(saved) or value.shape[:1] != saved.shape:  # of no bytes, it could claim any size
            raise ValueError(f"“{name:.40}” is of shape {value.shape}; expected: ({len(saved)}, …)")
    for d in learning.diverged + (checkpoint.diverged if checkpoint else ()):
        if d.seed not in config.seeds or not 1 <= d.step <= learning.step:
            raise ValueError(f"seed {d.seed} diverged at step {d.step}; expected: a seed and a step of it")
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
    T, longest = learning.state_grad_norms.shape[2], learning.config.memory_task.steps(learning.config.length)
    if longest < T:
        raise ValueError(f"state_grad_norms are of {T:,} time steps; allowed: up to {longest:,}")


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
    if value.dtype == np.bool_ and value.size and value.view(np.uint8).max() > 1:
        raise ValueError(f"{name} holds what is neither true nor false")
