"""What if: a run in which some value is held, at some units and steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.spec import CellSpec


@dataclass(frozen=True)
class Clamp:
    """Hold a gate or state at a value.

    Attributes:
        name: of the gate or state.
        value: finite.
        units: from 0; None for all.
        steps: from 1; None for all.
    """

    name: str
    value: float
    units: tuple[int, ...] | None = None
    steps: tuple[int, ...] | None = None


def lesion(spec: CellSpec, units: tuple[int, ...]) -> tuple[Clamp, ...]:
    """Units that carry nothing: all their states held at 0."""
    return tuple(Clamp(name, 0.0, units) for name in spec.state_names)


Hold = tuple[Tensor, Tensor]  # where (T,1,H) and what (T,1,H)


def holds(spec: CellSpec, clamps: Sequence[Clamp], T: int, like: Tensor) -> dict[str, Hold]:
    """Clamps as masks and values, name -> ((T,1,H) bool, (T,1,H)); a later clamp outranks an earlier one.

    Args:
        spec: the cell.
        clamps: what to hold.
        T: number of steps.
        like: (…,H), of the run's type and device.

    Raises:
        ValueError: a name that the cell has not, a value that is not finite, or a unit or step that is
            not there.
    """
    H, known = like.shape[-1], (*spec.gate_names, *spec.state_names)
    found: dict[str, Hold] = {}
    for clamp in clamps:
        if clamp.name not in known:
            raise ValueError(f"clamp names {clamp.name!r}; {spec.name} has {', '.join(known)}")
        most = torch.finfo(like.dtype).max
        value = check.real(f"clamp of {clamp.name}", clamp.value, -most, most)
        units = _places("unit", clamp.units, 0, H - 1)
        steps = _places("step", clamp.steps, 1, T)
        where, what = found.setdefault(
            clamp.name,
            (torch.zeros(T, 1, H, dtype=torch.bool, device=like.device), like.new_zeros(T, 1, H)),
        )
        for t in steps:
            where[t - 1, 0, units] = True
            what[t - 1, 0, units] = value
    return found


def _places(what: str, given: tuple[int, ...] | None, low: int, high: int) -> list[int]:
    if given is None:
        return list(range(low, high + 1))
    return [check.whole(f"{what} of a clamp", k, low, high) for k in given]


def changing(held: Mapping[str, Hold], at: slice | int = slice(None)) -> Callable[[str, Tensor], Tensor]:
    """How a graph's values change under these holds, at one step or at all."""

    def change(name: str, value: Tensor) -> Tensor:
        if name not in held:
            return value
        where, what = held[name]
        return torch.where(where[at], what[at], value)

    return change
