"""Who trains a sweep: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

from rnnviz.sweep.spawning import Spawning, begin

WORKERS = "RNNVIZ_WORKERS"
SCHEDULER = "RNNVIZ_SCHEDULER"
MOST_WORKERS = 64
PATIENCE = 15.0  # seconds in which a cluster must answer, and again in which its first worker must come


class Workers(Protocol):
    """An executor of `concurrent.futures`, and what a sweep asks of it beyond that.

    Attributes:
        width: how many calls it is worth to hand out at a time.
        lost: what a future raises whose worker died.
        one_fate: whether one worker's death is every call's end, and the executor's.
    """

    width: float
    lost: tuple[type[BaseException], ...]
    one_fate: bool

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Have a call made."""

    def trouble(self) -> str:
        """Why nothing may be happening, in a sentence, or ""."""

    def end(self) -> None:
        """Drop every call: on this machine at once, on a cluster those that have not begun."""


@contextmanager
def opened(
    scheduler: str | None = None, workers: int | None = None, patience: float = PATIENCE
) -> Iterator[Workers]:
    """Workers, until the block is left; what has not been done by then is dropped.

    Args:
        scheduler: a Dask scheduler's address, such as ``tcp://10.0.0.1:8786``; without one
            ``RNNVIZ_SCHEDULER`` counts, and without that this machine works.
        workers: processes on this machine; without a number ``RNNVIZ_WORKERS`` counts, and without that
            there is one for each core that this process may use.
        patience: seconds in which a cluster must answer, and again in which its first worker must come.

    Raises:
        ValueError: a number of workers that cannot be; `ClusterError` of a cluster that cannot be used.
    """
    address = scheduler or os.environ.get(SCHEDULER)
    if address:
        from rnnviz.sweep.cluster import Cluster  # a package that not everybody has

        crew: Workers = Cluster(address, patience)
    else:
        crew = Local(workers or workers_asked())
    try:
        yield crew
    finally:
        crew.end()


class Local(ProcessPoolExecutor):
    """Processes of this machine, started as they are needed."""

    lost: tuple[type[BaseException], ...] = (BrokenExecutor,)
    one_fate = True

    def __init__(self, workers: int) -> None:
        """None is started yet."""
        self._spawning = Spawning()
        super().__init__(workers, mp_context=self._spawning, initializer=begin)
        self.width = workers + 1.0  # one waits, so that no worker does

    def trouble(self) -> str:
        """Never: what happens to a process breaks its futures."""
        return ""

    def end(self) -> None:
        """Kill the processes: a training has nothing to say before its end."""
        self._spawning.kill()
        self.shutdown(wait=False, cancel_futures=True)


def workers_asked() -> int:
    """Processes that the environment asks for, else cores that this process may use.

    Raises:
        ValueError: when ``RNNVIZ_WORKERS`` is no number of workers.
    """
    given = os.environ.get(WORKERS)
    if given is not None:
        if not (given.isdecimal() and 1 <= int(given) <= MOST_WORKERS):
            raise ValueError(f"{WORKERS} is “{given[:20]}”; allowed: 1 to {MOST_WORKERS}.")
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return max(1, min(MOST_WORKERS, len(os.sched_getaffinity(0))))
    return max(1, min(MOST_WORKERS, os.cpu_count() or 1))
