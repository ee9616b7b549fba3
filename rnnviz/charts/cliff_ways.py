"""Ways of gradient descent as they are drawn: what of them lies in a window, and where they leave it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rnnviz.charts.cliff_records import Array, Box, Way
from rnnviz.charts.theme import CLIPPED, UNCLIPPED


@dataclass(frozen=True)
class Exit:
    """An update that leaves the window: its number, where it crosses the edge, and where it leads."""

    update: int
    at: tuple[float, float, float]  # w, b and E, the last as on a straight line
    to: tuple[float, float]

    @property
    def words(self) -> str:
        """As it is written at the edge."""
        return f"update {self.update} leads to {point(*self.to)}"


def name_of(way: Way) -> str:
    """What a legend calls it."""
    return "without clipping" if way.clip is None else f"clipped at θ = {way.clip:g}"


def place_of(way: Way) -> int:
    """Its place in the theme's list of colours."""
    return UNCLIPPED if way.clip is None else CLIPPED


def point(w: float, b: float) -> str:
    """A point as it is written."""
    return f"w = {said(w)}, b = {said(b)}"


def said(value: float) -> str:
    """A number to three digits, as it is written by hand: −0.25, 1.29e8.

    >>> said(-0.25), said(128796909.8), said(1.2e-12)
    ('−0.25', '1.29e8', '1.2e−12')
    """
    if not np.isfinite(value):
        return "not a number" if np.isnan(value) else "∞" if value > 0 else "−∞"
    digits, _, power = f"{value:.3g}".partition("e")
    return (f"{digits}e{int(power)}" if power else digits).replace("-", "−")


def in_words(way: Way, box: Box) -> str:
    """A way in two sentences."""
    last, left = len(way.w) - 1, exits(way, box)
    gone = f" {left[0].words.capitalize()}, outside the window." if left else ""
    ends = f"E = {said(float(way.E[0]))} at the start, {said(float(way.E[last]))} after {last} updates."
    return f"{name_of(way).capitalize()}: {ends}{gone}"


def pieces(way: Way, box: Box) -> list[Array]:
    """Its parts inside a window, (n,3) each: w, b and E along straight lines between the points.

    What is not finite ends a part.
    """
    points = np.column_stack([way.w, way.b, way.E])
    parts: list[list[Array]] = []
    for start, end in pairwise(points):
        cut = _within(start, end, box)
        if cut is None:
            continue
        # A whole step ends exactly where the next one starts, whatever rounding says.
        first, last = (end if share == 1 else start + share * (end - start) for share in cut)
        if parts and cut[0] == 0 and np.array_equal(parts[-1][-1], first):
            parts[-1].append(last)
        else:
            parts.append([first, last])
    return [np.array(part) for part in parts]


def exits(way: Way, box: Box) -> list[Exit]:
    """Every update from inside the window to a point outside, in order."""
    inside, points = way.inside(box), np.column_stack([way.w, way.b, way.E])
    found = []
    for k in np.flatnonzero(inside[:-1] & ~inside[1:]).tolist():
        end = points[k + 1]
        cut = _within(points[k], end, box)
        at = points[k] + cut[1] * (end - points[k]) if cut else points[k]
        w, b, E = at.tolist()
        found.append(Exit(k + 1, (w, b, E), (float(end[0]), float(end[1]))))
    return found


def _within(start: Array, end: Array, box: Box) -> tuple[float, float] | None:
    """From which to which share of a line it lies in a window; None for nowhere (Liang and Barsky 1984)."""
    if not np.isfinite([start, end]).all():
        return None
    low, high = 0.0, 1.0
    for a, d, (lower, upper) in zip(start[:2], (end - start)[:2], box, strict=True):
        if d == 0:
            if not lower <= a <= upper:
                return None
            continue
        near, far = sorted(((lower - a) / d, (upper - a) / d))
        low, high = max(low, near), min(high, far)
    return (low, high) if low <= high else None
