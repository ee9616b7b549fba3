"""Runs of one model, recorded by the cell's own operations in its own order, into buffers that stay.

In float64 a recorded run has all the bits of a loop over ``spec.step``: where the dynamics are chaotic,
nothing less gives the numbers that the cell's printed script gives.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from rnnviz.engine.spec import Gates, Params, State

# Bytes that a tape holds before it is written into the record: what a core's cache holds.
TAPE_BYTES = 2**20
# Steps that it holds at most; more of a small model would not make it faster.
TAPE_STEPS = 256
# Tapes of one cell that wait for the next run. Two threads never write on one.
SPARE = 2


class Tape(ABC):
    """Some steps of one model; one cell's operations are in its subclass.

    Attributes:
        states: name -> (n+1,B,H).
        gates: name -> (n,B,H).
        steps: what each step works on, cut out once.
    """

    states: State
    gates: Gates
    steps: Sequence[tuple[Any, ...]]

    def __init__(self) -> None:
        """Nothing is allocated before the first run."""
        self._shape: tuple[object, ...] = ()

    def record(self, params: Params, x: Tensor, ax: Tensor, states: State, gates: Gates) -> None:
        """Run from ``states[name][0]`` on, in inference mode.

        Args:
            params: of one model, in PyTorch's layout.
            x: (T,B,D).
            ax: (T,B,G·H) from ``spec.project``.
            states: name -> (T+1,B,H), filled from index 1 on.
            gates: name -> (T,B,H), filled.
        """
        T, B, width = ax.shape
        H = params["W_hh"].shape[1]
        shape = (B, width, H, ax.dtype, ax.device)
        if shape != self._shape:
            bytes_a_step = B * H * (len(states) + len(gates)) * ax.element_size()
            self._fit(ax, min(TAPE_STEPS, max(1, TAPE_BYTES // bytes_a_step)), H)
            self._shape = shape
        n = len(self.steps)
        for start in range(0, T, n):
            stop = min(start + n, T)
            m = stop - start
            for name, value in self.states.items():
                value[0].copy_(states[name][start])
            self._play(params, ax[start:stop], self.steps[:m])
            for name, value in self.states.items():
                states[name][start + 1 : stop + 1].copy_(value[1 : m + 1])
            for name, value in self.gates.items():
                gates[name][start:stop].copy_(value[:m])

    @abstractmethod
    def _fit(self, like: Tensor, n: int, H: int) -> None:
        """Cut the buffers for n steps of ``like`` (T,B,G·H)."""

    @abstractmethod
    def _play(self, params: Params, ax: Tensor, steps: Sequence[tuple[Any, ...]]) -> None:
        """These steps, from ``states[name][0]`` on; ax (n,B,G·H)."""


_idle: dict[tuple[object, ...], deque[Tape]] = {}


@contextmanager
def borrowed(make: Callable[..., Tape], options: tuple[object, ...]) -> Iterator[Tape]:
    """A tape that nobody else writes on meanwhile."""
    spare = _idle.setdefault((make, options), deque(maxlen=SPARE))
    try:
        tape = spare.pop()  # a deque's own operations are safe between threads
    except IndexError:
        tape = make(*options)
    yield tape
    spare.append(tape)


def aligned(like: Tensor, n: int, H: int) -> Tensor:
    """An empty (n,B,H), each step at a multiple of 64 bytes.

    At other addresses a matrix product may sum in another order, and its last bit differ.
    """
    B, each = like.shape[1], 64 // like.element_size()
    return like.new_empty(n, -(-B * H // each) * each)[:, : B * H].view(n, B, H)
