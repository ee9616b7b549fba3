"""The sweeps of a server: one Sweeping of each, whoever asks."""

from __future__ import annotations

import threading

from rnnviz.store import Store
from rnnviz.sweep.grid import Sweep
from rnnviz.sweep.sweeping import RUNNING, Sweeping

_latest: dict[Sweep, Sweeping] = {}
_starting = threading.Lock()
MOST_LATEST = 32  # sweeps at rest that are remembered


def start(sweep: Sweep, store: Store, scheduler: str | None = None, owner: str = "") -> Sweeping:
    """This process's one Sweeping of a sweep: the one that runs, else a new one."""
    with _starting:
        old = _latest.pop(sweep, None)
        new = old if old and old.status == RUNNING else Sweeping(sweep, store, scheduler, owner)
        _latest[sweep] = new
        at_rest = [each for each, sweeping in _latest.items() if sweeping.status != RUNNING]
        for each in at_rest[:-MOST_LATEST]:
            del _latest[each]
        return new


def sweeping_of(sweep: Sweep) -> Sweeping | None:
    """The last Sweeping of a sweep that `start` made here, running or at rest; None before the first."""
    return _latest.get(sweep)
