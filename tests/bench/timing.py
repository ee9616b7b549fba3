"""Side-by-side timing: two ways to one result, taken in turns in one process, as a ratio."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

SAMPLE_SECONDS = 0.01  # one sample repeats a call until it lasts about this long
ROUNDS = 25
MOST_SECONDS = 6.0  # but a row takes no longer than this


@dataclass(frozen=True)
class Row:
    """One comparison: what was done, by us and by what, and the issue's bound on ours/theirs, if any.

    ``low`` and ``high`` are the least and the largest ratio of any one round. Where nothing is to be
    compared with, ``theirs`` is 0; ``asked`` says what was asked for where it is no bound of the ratio.
    """

    what: str
    against: str
    ours: float
    theirs: float
    low: float
    high: float
    bound: float | None = None
    unit: str = "ms"
    asked: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs if self.theirs else math.nan


def compare(
    what: str,
    against: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    bound: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Row:
    """Medians of both, a sample of one after a sample of the other so that a busy moment strikes both.

    ``clock=time.process_time`` leaves out what other programs take, for work of one thread in this process.
    """
    ways = ours, theirs
    for way in ways:
        way()  # the first call pays for caches and lazy imports
    counts = [max(1, round(SAMPLE_SECONDS / _seconds(way, 1, clock))) for way in ways]
    rounds: list[tuple[float, float]] = []
    start = time.perf_counter()
    while len(rounds) < 3 or (len(rounds) < ROUNDS and time.perf_counter() - start < MOST_SECONDS):
        order = (0, 1) if len(rounds) % 2 else (1, 0)
        sample = {k: _seconds(ways[k], counts[k], clock) for k in order}
        rounds.append((sample[0], sample[1]))
    ratios = [ours / theirs for ours, theirs in rounds]
    mine, other = (1e3 * median(column) for column in zip(*rounds, strict=True))
    return Row(what, against, mine, other, min(ratios), max(ratios), bound)


def _seconds(call: Callable[[], object], count: int, clock: Callable[[], float]) -> float:
    """Seconds of one call, over ``count`` calls, with the collector at rest."""
    gc.collect()
    gc.disable()
    try:
        start = clock()
        for _ in range(count):
            call()
        return (clock() - start) / count
    finally:
        gc.enable()


def table(rows: list[Row]) -> str:
    """Rows as aligned text."""
    head = ["what", "against", "ours", "theirs", "ratio", "min–max", "bound"]
    lines = [
        [
            row.what,
            row.against,
            f"{row.ours:.3g} {row.unit}",
            f"{row.theirs:.3g} {row.unit}" if row.theirs else "",
            f"{row.ratio:.2f}" if row.theirs else "",
            f"{row.low:.2f}–{row.high:.2f}" if row.low != row.high else "",
            row.asked if row.bound is None else f"≤ {row.bound:.3g}",
        ]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    align = ["<", "<", ">", ">", ">", ">", ">"]
    return "\n".join(
        "  ".join(f"{cell:{a}{w}}" for cell, a, w in zip(line, align, widths, strict=True)).rstrip()
        for line in [head, ["-" * width for width in widths], *lines]
    )
