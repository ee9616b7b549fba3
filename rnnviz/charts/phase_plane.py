"""Two numbers of state as a plane: where each step goes, where either stands still, and some orbits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.figure import Columns, Figure, Formula
from rnnviz.charts.fixed_marks import (
    add_points,
    count_words,
    eigenvalue,
    number,
    residual,
)
from rnnviz.charts.phase_plane_spec import skeleton
from rnnviz.charts.rows import Rows
from rnnviz.engine import FixedPoints

NAMES = ("kind", "role", "x", "y", "x2", "y2", "right", "up", "n", "line", "shape", "label", "note")
TITLE = "Where does each state go, and where does it stay?"
LONGEST = 1.6  # arrows: the longest, in distances of the grid
Floats = NDArray[np.float64]
Window = Sequence[tuple[float, float]]


def phase_plane(
    window: Window,
    axes: tuple[str, str],
    field: tuple[Floats, Floats],
    nullclines: tuple[Sequence[Floats], Sequence[Floats]],
    orbits: Floats,
    fixed: FixedPoints,
    formula: Formula,
    caption: str,
) -> Figure:
    """The vector field, both nullclines, orbits from some starts, and the fixed points.

    Args:
        window: from where to where each axis goes.
        axes: what the two numbers are called.
        field: points of a square grid, (N,2), and f(s) - s there, (N,2).
        nullclines: of each number the lines on which a step leaves it, (·,2) each.
        orbits: s_0 … s_T from each start, (T+1,M,2); the first of them is the page's own.
        fixed: the fixed points.
        formula: of the map.
        caption: the configuration.
    """
    rows = Rows(NAMES)
    part = _add_field(rows, window, *field)
    for role, name, lines in zip(("map", "second"), axes, nullclines, strict=True):
        _add_nullcline(rows, role, name, lines, window)
    said = [_add_orbit(rows, m, orbits[:, m], window, axes) for m in range(orbits.shape[1] - 1, -1, -1)]
    at = fixed.points.numpy()
    labels = point_words(fixed, axes)
    inside = _within(at, window)
    middle = sum(window[0]) / 2
    add_points(rows, fixed, np.where(inside[:, None], at, np.nan), middle, labels, fixed.kinds)
    length = f"at {part:.2g} of its length" if part < 1 else "in full"
    return Figure(
        stem="phase-plane",
        title=TITLE,
        caption=f"{caption} · {count_words(fixed)} · arrows: f(s) − s {length}",
        description=f"{TITLE} {' '.join(reversed(said))} "
        + ("; ".join(labels) + "." if labels and len(labels) < 9 else f"{count_words(fixed)}."),
        spec=skeleton(axes, *(tuple(ends) for ends in window)),
        data=rows.columns,
        table=_table(axes, field, orbits, fixed),
        height=560,
        formula=formula,
    )


def point_words(fixed: FixedPoints, axes: Sequence[str]) -> list[str]:
    """Each fixed point in words, P of them."""
    return [
        f"{kind} at {place(point, axes)}, λ = {', '.join(map(eigenvalue, values))}, residual {residual(gap)}"
        for kind, point, values, gap in zip(
            fixed.kinds,
            fixed.points.tolist(),
            fixed.eigenvalues.tolist(),
            fixed.residuals.tolist(),
            strict=True,
        )
    ]


def place(point: Sequence[float], axes: Sequence[str]) -> str:
    """``h₁ = 0.5, h₂ = −1``."""
    return ", ".join(f"{name} = {number(value)}" for name, value in zip(axes, point, strict=True))


def tiles(window: Window, count: int) -> Columns:
    """What a click can hit: a square at each point of a grid over the window."""
    (x_low, x_high), (y_low, y_high) = window
    x, y = np.linspace(x_low, x_high, count), np.linspace(y_low, y_high, count)
    half_x, half_y = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    s1, s2 = (axis.ravel() for axis in np.meshgrid(x, y))
    return {
        "s1": s1,
        "s2": s2,
        "left": np.maximum(s1 - half_x, x_low),
        "right": np.minimum(s1 + half_x, x_high),
        "below": np.maximum(s2 - half_y, y_low),
        "above": np.minimum(s2 + half_y, y_high),
    }


def _within(points: Floats, window: Window) -> NDArray[np.bool_]:
    low, high = np.array(window).T
    inside: NDArray[np.bool_] = ((points >= low) & (points <= high)).all(1)
    return inside


def _add_field(rows: Rows, window: Window, s: Floats, change: Floats) -> float:
    """An arrow a point; what part of its length each is drawn at."""
    spans = np.array([high - low for low, high in window])
    finite = np.isfinite(change).all(1)
    longest = np.linalg.norm(change[finite] / spans, axis=1).max(initial=0.0)
    cell = 1 / (round(len(s) ** 0.5) - 1)
    part = min(1.0, LONGEST * cell / longest) if longest > 0 else 1.0
    for here, by in zip(s[finite], change[finite], strict=True):
        there, (right, up) = here + part * by, by / spans
        ends = {"x": float(here[0]), "y": float(here[1]), "x2": float(there[0]), "y2": float(there[1])}
        moves = bool(np.abs(by).max() > 0)
        rows.add(
            1, kind="arrow" if moves else "still", role="quiet", right=float(right), up=float(up), **ends
        )
    return part


def _add_nullcline(rows: Rows, role: str, name: str, lines: Sequence[Floats], window: Window) -> None:
    for k, line in enumerate(lines):
        rows.add(
            len(line),
            kind="null",
            role=role,
            line=f"{role} {k}",
            x=line[:, 0].tolist(),
            y=line[:, 1].tolist(),
            n=list(range(len(line))),
            label=f"here a step leaves {name} as it is",
        )
    ends = [end for line in lines for end in (line[0], line[-1])]
    edges = [(_edge(end, window), end) for end in ends]
    for side in ("right", "top", "bottom"):
        there = [end for edge, end in edges if edge == side]
        if there:
            x, y = max(there, key=lambda end: (float(end[1]), float(end[0])))
            rows.add(1, kind=f"null {side}", role=role, x=float(x), y=float(y), note=f"{name}′ = {name}")
            return


def _edge(end: Floats, window: Window) -> str:
    """At which edge of the picture the end of a line is, if at any."""
    (left, right), (bottom, top) = window
    near = 0.012
    if abs(end[0] - right) < near * (right - left):
        return "right"
    if abs(end[1] - top) < near * (top - bottom):
        return "top"
    return "bottom" if abs(end[1] - bottom) < near * (top - bottom) else ""


def _add_orbit(rows: Rows, m: int, s: Floats, window: Window, axes: Sequence[str]) -> str:
    """One orbit until it leaves the picture, and what it does, in words."""
    outside = np.flatnonzero(~_within(s, window))
    left = int(outside[0]) if len(outside) else None
    T = len(s) - 1
    seen = s[: T + 1 if left is None else left + 1]
    # A line that goes on far outside would be a number too large to draw.
    spans = np.array([high - low for low, high in window])
    low, high = np.array(window).T
    seen = np.clip(np.nan_to_num(seen, posinf=1e9, neginf=-1e9), low - spans, high + spans)
    kind = "orbit" if m == 0 else "earlier"
    rows.add(
        len(seen),
        kind=kind,
        role="orbit",
        line=f"orbit {m}",
        x=seen[:, 0].tolist(),
        y=seen[:, 1].tolist(),
        n=list(range(len(seen))),
        label=[f"step {t}: {place(s[t].tolist(), axes)}" for t in range(len(seen))],
    )
    rows.add(
        1, kind="start", role="orbit", x=float(seen[0, 0]), y=float(seen[0, 1]), note="s₀" if m == 0 else ""
    )
    ends = (
        f"after {T} steps at {place(s[-1].tolist(), axes)}"
        if left is None
        else f"out of the picture at step {left}"
    )
    if m == 0 and left is not None:
        rows.add(1, kind="gone", role="orbit", label=f"leaves the picture at step {left}")
    return f"From {place(s[0].tolist(), axes)}: {ends}."


def _table(
    axes: Sequence[str], field: tuple[Floats, Floats], orbits: Floats, fixed: FixedPoints
) -> dict[str, Any]:
    """Rows of three kinds, fixed points under what they are; ``change`` is f(s) - s in each of them."""
    T, M = orbits.shape[0] - 1, orbits.shape[1]
    steps, changes = orbits[:-1].transpose(1, 0, 2), np.diff(orbits, axis=0).transpose(1, 0, 2)
    points = fixed.points.numpy()
    s = np.concatenate([field[0], steps.reshape(-1, 2), points])
    change = np.concatenate([field[1], changes.reshape(-1, 2), fixed.gaps.numpy()])
    parts = fixed.eigenvalues.numpy()
    empty = np.full(len(field[0]) + M * T, np.nan)
    return {
        "what": ["field"] * len(field[0]) + ["orbit"] * (M * T) + list(fixed.kinds),
        "number": [*range(1, len(field[0]) + 1)]
        + [m + 1 for m in range(M) for _ in range(T)]
        + [*range(1, len(points) + 1)],
        "step": [0] * len(field[0]) + [*range(T)] * M + [0] * len(points),
        "s_1": s[:, 0],
        "s_2": s[:, 1],
        "change_1": change[:, 0],
        "change_2": change[:, 1],
        **{
            f"eig_{k + 1}_{name}": np.concatenate([empty, part])
            for k in range(2)
            for name, part in (("re", parts[:, k].real), ("im", parts[:, k].imag))
        },
    }
