"""Contour lines of an error surface."""

from __future__ import annotations

import numpy as np

from rnnviz.charts.cliff_records import Array, Surface, Wall

LEVELS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0)


def levels_of(surface: Surface) -> dict[float, list[Array]]:
    """Contour lines of E, (n,2) each: w and b, straight between the edges of the grid."""
    import contourpy

    generator = contourpy.contour_generator(surface.w, surface.b, surface.E, line_type="Separate")
    # Its types leave open which of several forms lines come in; "Separate" settles it.
    lines: dict[float, list[Array]] = {level: generator.lines(level) for level in LEVELS}  # type: ignore[misc]
    return {level: found for level, found in lines.items() if found}


def off_the_wall(line: Array, surface: Surface, wall: Wall) -> list[Array]:
    """A contour line without what of it runs in a wall that is thinner than the grid.

    There all levels are one, and the grid makes a staircase of them; the wall's own line stands for them.
    """
    height = float(surface.b[1] - surface.b[0])
    thin = ~(wall.norm * height < np.ptp(surface.E))  # so if the gradient is too large to be held, too
    if not thin.any():
        return [line]
    slack = float(surface.w[1] - surface.w[0])
    w, b = wall.w[thin], wall.b[thin]
    near = (w[0] - slack <= line[:, 0]) & (line[:, 0] <= w[-1] + slack)
    near &= np.abs(line[:, 1] - np.interp(line[:, 0], w, b)) <= height
    cuts = np.flatnonzero(np.diff(near)) + 1
    parts = np.split(line, cuts)
    return [part for part, gone in zip(parts, near[[0, *cuts]], strict=True) if not gone and len(part) > 1]
