"""A run as one file: configuration, curves, weights and versions, as safetensors with a JSON head.

No pickle: what a file can hold are numbers and plain text, and all of it is checked against the
configuration before anything is made of it.

Layout: the metadata entry ``rnnviz`` is JSON; tensors are named ``"k.learning.loss"``, ``"k.weights.W_ih"``
(saved steps first), ``"k.saved"`` and, where the run can go on, ``"k.checkpoint.…"``, k the cell.
"""

from __future__ import annotations

import json
import platform
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import safetensors.numpy as safetensors
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

import rnnviz
from rnnviz.engine.learning import AXES, Learning
from rnnviz.engine.train import Checkpoint, Divergence
from rnnviz.engine.train_config import TrainConfig
from rnnviz.run_config import config_of, plain_of, run_id
from rnnviz.run_shapes import check_cell, check_head, parted

FORMAT = 1
MOST_HEAD = 2**20  # bytes of a head that is read at all
_HEAD = "rnnviz"
Weights = Mapping[str, Tensor]  # name -> (K,…)
Arrays = dict[str, NDArray[Any]]


class UnreadableError(ValueError):
    """A file that is no run, or none that this version can read; says why in a sentence."""


class NewerError(UnreadableError):
    """A run of a newer version."""


@dataclass(frozen=True)
class KeptCell:
    """One cell of a run.

    Attributes:
        learning: its curves.
        weights: saved step -> parameters, name -> (K,…).
        seconds: time that its updates took.
        checkpoint: where it can go on; None where it cannot.
    """

    learning: Learning
    weights: Mapping[int, Weights]
    seconds: float
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Kept:
    """A run as it is kept.

    Attributes:
        cells: one a configuration, at least one.
        status: where it stood, as `rnnviz.runs.run` names it.
        why: what ended it early, in a sentence, or "".
        owner: who may steer it; "" for nobody.
        versions: of what made it, name -> version.
        apart: saved steps of each cell whose weights are in files of their own; empty where none are.
        brought: whether somebody brought it as a file: its numbers are what the file says.
        when: when it stood so, seconds since 1970.
    """

    cells: tuple[KeptCell, ...]
    status: str
    why: str = ""
    owner: str = ""
    versions: Mapping[str, str] = field(default_factory=lambda: versions())
    apart: tuple[tuple[int, ...], ...] = ()
    brought: bool = False
    when: float = field(default_factory=time.time)

    @property
    def configs(self) -> tuple[TrainConfig, ...]:
        """What was trained."""
        return tuple(cell.learning.config for cell in self.cells)

    @property
    def id(self) -> str:
        """The hash of its configuration."""
        return run_id(self.configs)


def versions() -> dict[str, str]:
    """What a run that is made now is made by."""
    return {
        "rnnviz": rnnviz.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def copy_of(params: Weights) -> Weights:
    """Parameters as they are now: the trainer goes on in the same memory."""
    return {name: value.clone() for name, value in params.items()}


def pack(kept: Kept) -> bytes:
    """A run as the bytes of a file; weights that are kept apart are left out."""
    arrays: Arrays = {}
    cells = []
    for k, cell in enumerate(kept.cells):
        learning, saved = cell.learning, [] if kept.apart else sorted(cell.weights)
        for axis, names in AXES.items():
            arrays |= {f"{k}.learning.{name}": getattr(learning, name) for name in (axis, *names)}
        arrays[f"{k}.saved"] = np.array(saved, np.int64)
        for name in cell.weights[saved[0]] if saved else ():
            arrays[f"{k}.weights.{name}"] = np.stack([cell.weights[step][name].numpy() for step in saved])
        about = {
            "config": plain_of(learning.config),
            "seconds": cell.seconds,
            "diverged": [asdict(d) for d in learning.diverged],
            "step": learning.step,
            "solved": learning.solved,
            "finished": learning.finished,
        }
        if cell.checkpoint is not None:
            about["checkpoint"] = _checkpoint_about(cell.checkpoint)
            arrays |= {f"{k}.checkpoint.{n}": v.numpy() for n, v in cell.checkpoint.tensors.items()}
        cells.append(about)
    head = {
        "status": kept.status,
        "why": kept.why,
        "owner": kept.owner,
        "versions": dict(kept.versions),
        "apart": kept.apart,
        "brought": kept.brought,
        "when": kept.when,
        "cells": cells,
    }
    return pack_arrays(arrays, head)


def pack_arrays(arrays: Arrays, head: Mapping[str, Any]) -> bytes:
    """Arrays and a head as a file that notices when it is damaged."""
    whole = {name: np.ascontiguousarray(value).reshape(value.shape) for name, value in arrays.items()}
    plain = json.loads(json.dumps({"format": FORMAT, **head}))  # as a reader will see it
    return safetensors.save(whole, {_HEAD: json.dumps(plain | {"sum": _sum(whole, plain)})})


def read_head(data: bytes) -> dict[str, Any]:
    """The head alone, from a file's first bytes; its size is where the tensors begin.

    Raises:
        UnreadableError: damaged, or of a newer version.
    """
    try:
        size = int.from_bytes(data[:8], "little")
        if not 2 <= size <= min(MOST_HEAD, len(data) - 8):
            raise ValueError
        head = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][_HEAD])
        form = head["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UnreadableError("it is damaged, or no run of this program") from None
    if type(form) is not int or form < 1:
        raise UnreadableError(f"it is damaged: its format is {form!r:.20}; expected: {FORMAT}")
    if form > FORMAT:
        by = head.get("versions", {}).get("rnnviz", "") if isinstance(head.get("versions"), dict) else ""
        raise NewerError(
            f"it was written by a newer version of this program{f' ({by!s:.30})' if by else ''}: its format "
            f"is {form!r:.20}, and this version reads format {FORMAT}"
        )
    return dict(head)


def unpack_arrays(data: bytes) -> tuple[Arrays, dict[str, Any]]:
    """What `pack_arrays` was given.

    Raises:
        UnreadableError: damaged, or of a newer version.
    """
    head = read_head(data)
    said = head.pop("sum", None)
    try:
        arrays = safetensors.load(data)
        found = _sum(arrays, head)
    except (SafetensorError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise UnreadableError("it is damaged: its tensors cannot be read") from None
    if type(said) is not int or found != said:
        raise UnreadableError("it is damaged: its check sum is another")
    return arrays, head


def unpack(data: bytes) -> Kept:
    """A run from the bytes of a file, whoever wrote them.

    Raises:
        UnreadableError: damaged, of a newer version, or of other shapes than its configuration says.
    """
    arrays, head = unpack_arrays(data)
    try:
        check_head(head)
    except ValueError as error:
        raise UnreadableError(f"what it says of itself cannot be: {error}") from None
    own: dict[str, Arrays] = {}
    for name, value in arrays.items():
        k, _, rest = name.partition(".")
        own.setdefault(k, {})[rest] = value
    cells = tuple(_cell(about, own.pop(str(k), {})) for k, about in enumerate(head["cells"]))
    if own:
        k = next(iter(own))
        raise UnreadableError(f"it holds “{f'{k}.{next(iter(own[k]))}':.40}”, which no run has")
    apart = tuple(tuple(steps) for steps in head["apart"])
    said = head["status"], head["why"][:300], head["owner"], _texts(head["versions"])
    return Kept(cells, *said, apart, head["brought"], float(head["when"]))


def _texts(given: Mapping[str, str]) -> dict[str, str]:
    return {str(name)[:40]: str(value)[:40] for name, value in given.items()}


def _cell(about: Mapping[str, Any], arrays: Arrays) -> KeptCell:
    """One cell out of its part of a checked head and its arrays."""
    try:
        config = config_of(about["config"])
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UnreadableError(f"its configuration cannot be: {error!s:.300}") from None
    try:
        parts = parted(arrays, "checkpoint" in about)
        learning = Learning(
            config,
            **parts["learning"],
            diverged=_diverged(about["diverged"]),
            solved=about["solved"],
            finished=about["finished"],
        )
        checkpoint, saved, weights = None, arrays["saved"], parts["weights"]
        if "checkpoint" in about:
            checkpoint = Checkpoint(
                config,
                about["checkpoint"]["step"],
                {name: tensor(value) for name, value in parts["checkpoint"].items()},
                _diverged(about["checkpoint"]["diverged"]),
                about["checkpoint"]["finished"],
            )
        check_cell(learning, saved, weights, checkpoint)
        if learning.step != about["step"]:
            raise ValueError(f"its head says step {about['step']}; its curves end at step {learning.step}")
    except (ValueError, TypeError, OverflowError) as error:
        raise UnreadableError(f"its numbers do not fit its configuration: {error!s:.300}") from None
    kept = {
        step: {name: tensor(value[s]) for name, value in weights.items()}
        for s, step in enumerate(saved.tolist())
    }
    return KeptCell(learning, kept, float(about["seconds"]), checkpoint)


def tensor(value: NDArray[Any]) -> Tensor:
    """An array as a tensor with memory of its own."""
    return torch.from_numpy(np.array(value))


def _checkpoint_about(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "step": checkpoint.step,
        "finished": checkpoint.finished,
        "diverged": [asdict(d) for d in checkpoint.diverged],
    }


def _diverged(given: Sequence[Mapping[str, Any]]) -> tuple[Divergence, ...]:
    return tuple(
        Divergence(d["seed"], d["step"], d["what"][:200], float(d["grad_norm_before"])) for d in given
    )


def _sum(arrays: Mapping[str, NDArray[Any]], head: Mapping[str, Any]) -> int:
    """A check sum over the head, and over names, types, shapes and numbers."""
    total = zlib.crc32(json.dumps(head, sort_keys=True).encode())
    for name in sorted(arrays):
        value = arrays[name]
        total = zlib.crc32(f"{name} {value.dtype.str} {value.shape}".encode(), total)
        total = zlib.crc32(np.ascontiguousarray(value).data, total) if value.size else total
    return total
