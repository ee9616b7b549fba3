"""A sweep of 24 trainings by two worker processes beside one, each from its start to the last result."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rnnviz.engine import CELLS
from rnnviz.engine.train import TrainConfig
from rnnviz.store import Store
from rnnviz.sweep import Sweep, Sweeping
from tests.bench.timing import Row

FASTER = 1.6  # times, asked for on an idle machine of two cores
# Two seconds each: as much as a worker needs to start, which both ways pay for.
SWEEP = Sweep(TrainConfig("recall", 20, steps=400), (20, 30, 40, 50), tuple(CELLS), ("torch",), (0.003, 0.01))


def seconds(workers: int) -> float:
    """Seconds of the whole sweep, with a store that has nothing yet."""
    with tempfile.TemporaryDirectory() as home:
        start = time.perf_counter()
        sweeping = Sweeping(SWEEP, Store(Path(home)), workers=workers)
        sweeping.join()
        took = time.perf_counter() - start
        assert (sweeping.status, sweeping.note) == ("finished", ""), sweeping.why
    return took


def rows() -> Iterator[Row]:
    one, two = seconds(1), seconds(2)
    what = f"a sweep of {len(SWEEP.configs)} trainings, two workers"
    yield Row(what, "one worker", two, one, two / one, two / one, 1 / FASTER, "s")
