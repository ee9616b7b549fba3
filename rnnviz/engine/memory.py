"""Memory of large records, used again when nothing refers to it any more.

The system hands out large blocks page by page, each cleared at its first touch, and takes them back at
once; for a record of many megabytes that is a fifth of the time it takes to write it.
"""

from __future__ import annotations

import threading
import weakref
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEAST = 2**20  # bytes; smaller blocks the allocator itself keeps
MOST_IDLE = 2**28  # bytes that wait for their next use

_Block = NDArray[np.uint8]
_idle: dict[int, list[_Block]] = {}
_waiting = 0
_lock = threading.RLock()  # a collection may give back while a block is being taken


class _Lent(np.ndarray[Any, Any]):
    """A block as long as a tensor holds it; an array of its own, so that its end can be seen."""


def empty(like: Tensor, *shape: int) -> Tensor:
    """An empty tensor of this shape, type and device of ``like``; its memory may have been used before."""
    size = prod(shape) * like.element_size()
    if size < LEAST or like.device.type != "cpu":
        return like.new_empty(shape)
    block = _take(size)
    lent = block.view(_Lent)
    weakref.finalize(lent, _give_back, block).atexit = False
    return torch.from_numpy(lent).view(like.dtype).view(shape)


def _take(size: int) -> _Block:
    global _waiting
    with _lock:
        if _idle.get(size):
            _waiting -= size
            return _idle[size].pop()
    return np.empty(size, np.uint8)


def _give_back(block: _Block) -> None:
    global _waiting
    with _lock:
        if _waiting + block.nbytes <= MOST_IDLE:
            _waiting += block.nbytes
            _idle.setdefault(block.nbytes, []).append(block)
