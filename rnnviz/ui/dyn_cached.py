"""What the first two views of Dynamics compute, behind a cache keyed on plain values."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnviz import dynamics
from rnnviz.dynamics import Bifurcation, Floats, Plane
from rnnviz.engine import FixedPoints
from rnnviz.systems import System

CURVE = 240  # parts of the window that a curve is drawn in
_keep = lru_cache(maxsize=64)


@_keep
def curve(system: System, u: float) -> tuple[Floats, Floats]:
    """h over the window, (N,), and f(h), (N,)."""
    h = dynamics.grid(system, CURVE + 1)
    return h[:, 0], dynamics.image(system, u, h)[:, 0]


@_keep
def orbits(system: System, u: float, starts: tuple[tuple[float, ...], ...], T: int) -> Floats:
    """s_0 … s_T from each start, (T+1,M,S)."""
    return dynamics.orbits(system, u, np.array(starts), T)


@_keep
def standing(system: System, u: float) -> FixedPoints:
    """The fixed points."""
    return dynamics.standing(system, u)


@_keep
def bifurcation(system: System, u: float, h0: float) -> Bifurcation:
    """Orbits and branches for every weight; the system's own weight does not matter."""
    return dynamics.bifurcation(system, u, h0)


@_keep
def plane(system: System, u: float) -> Plane:
    """Field, nullclines and fixed points."""
    return dynamics.plane(system, u)
