"""Recurrent networks whose weights a person wrote, each with what it has to compute; a new one: one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from rnnviz.machines.counters import gru_counter, lstm_counter, relu_counter, tanh_counter
from rnnviz.machines.logic import addition, latch, parity, remainder
from rnnviz.machines.machine import Comparison, Given, Machine, compare, wanted
from rnnviz.machines.shifts import delay, three_taps

__all__ = ["MACHINES", "Comparison", "Entry", "Given", "Machine", "compare", "machine", "wanted"]


@dataclass(frozen=True)
class Entry:
    """How a machine is made, and the name of the number that it is made with, if any."""

    make: Callable[..., Machine]
    dial: str = ""


MACHINES: dict[str, Entry] = {
    "delay": Entry(delay, "k"),
    "taps": Entry(three_taps),
    "parity": Entry(parity),
    "remainder": Entry(remainder),
    "addition": Entry(addition),
    "latch": Entry(latch),
    "lstm-counter": Entry(lstm_counter),
    "relu-counter": Entry(relu_counter),
    "tanh-counter": Entry(tanh_counter, "size"),
    "gru-counter": Entry(gru_counter, "keep"),
}


@cache
def machine(name: str, dial: float | None = None) -> Machine:
    """A machine by its name; ``dial`` for those that have one, else as it is made unasked."""
    entry = MACHINES[name]
    return entry.make(**{entry.dial: dial}) if entry.dial and dial is not None else entry.make()
