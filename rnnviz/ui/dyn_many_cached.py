"""A network's path, its fixed points and their spectra, cached on plain values."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnviz.charts.figure import Columns, Figure
from rnnviz.charts.point_spectra import point_spectra
from rnnviz.charts.scene import Scene
from rnnviz.charts.state_space import Standing
from rnnviz.charts.state_space import state_space as drawn
from rnnviz.state_space import Setting, StateSpace, state_space

_keep = lru_cache(maxsize=32)


@_keep
def space(setting: Setting) -> StateSpace:
    """The path and the fixed points."""
    return state_space(setting)


@_keep
def standing(setting: Setting) -> Standing:
    """The fixed points as they are drawn and listed."""
    found = space(setting)
    points = found.fixed.points
    return Standing(
        found.fixed, found.places(points).numpy(), found.distances(points).numpy(), found.drawn.numpy()
    )


@_keep
def scene(setting: Setting, caption: str) -> Scene:
    """Path and fixed points in three dimensions."""
    found = space(setting)
    return drawn(
        found.places(found.path).numpy(),
        found.distances(found.path).numpy(),
        found.shares.numpy(),
        standing(setting),
        setting.symbols[: len(found.path) - 1],
        caption,
    )


@_keep
def spectra(setting: Setting, chosen: int, caption: str) -> Figure:
    """Eigenvalues at the fixed points, one of them (from 1) on the complex plane."""
    return point_spectra(standing(setting), chosen, caption)


def listed(setting: Setting) -> Columns:
    """Every fixed point in a row."""
    found = standing(setting)
    return {
        "fixed point": [str(p) for p in range(1, len(found.fixed) + 1)],
        "kind": list(found.fixed.kinds),
        "residual": found.fixed.residuals.tolist(),
        "max |λ|": found.leading.tolist(),
        "unstable directions": [str(count) for count in found.unstable_directions.tolist()],
        "distance": found.distances.tolist(),
        "drawn": np.where(found.drawn, "yes", "no; too far").tolist(),
    }
