"""What small systems do: their orbits, where they stand still, and how that changes with a weight."""

from __future__ import annotations

from dataclasses import dataclass

import contourpy
import numpy as np
import torch
from numpy.typing import NDArray

from rnnviz.engine import FixedPoints, fixed_points, unroll
from rnnviz.engine.fixed_points import MARGIN
from rnnviz.engine.kernels import kernel_of
from rnnviz.engine.step_map import StepMap
from rnnviz.systems import System

Floats = NDArray[np.float64]

W_SPAN, W_STEPS = 5.0, 200  # a bifurcation diagram goes from -W_SPAN to W_SPAN in so many steps
W_REACH = 8.0  # branches are followed so far, past the diagram's edge
TRANSIENT, KEPT = 400, 16  # steps of an orbit that are left out, and those that are shown
LEVELS = 480  # of h, on each side of the middle, for which a branch's w is solved
SQUASHED = 12.0  # of a bounded state they are tanh of what goes so far
BISECTIONS = 55
ASIDE = 1e-7  # how far from a point its neighbours are asked for their slopes
STARTS = 21  # of Newton's method, along each axis of the window
FIELD = 15  # arrows along each axis
AREA = 0.05  # share of a grid that is more than a line
CONTOUR = 100  # points of the grid that nullclines are looked for on, along each axis


def map_of(system: System, u: float) -> StepMap:
    """One step under a constant input, as a map of the stacked state."""
    return StepMap(system.spec, system.params, torch.tensor([u], dtype=torch.float64))


def image(system: System, u: float, s: Floats) -> Floats:
    """f(s), (N,S) -> (N,S)."""
    with torch.no_grad():
        after: Floats = map_of(system, u)(torch.tensor(s)).numpy()
    return after


def orbits(system: System, u: float, starts: Floats, T: int) -> Floats:
    """s_0 … s_T from each start, (N,S) -> (T+1,N,S)."""
    spec = system.spec
    parts = torch.tensor(starts).chunk(len(spec.states), 1)
    x = torch.full((T, len(starts), 1), u, dtype=torch.float64)
    trace = unroll(spec, system.params, x, dict(zip(spec.state_names, parts, strict=True)))
    return np.concatenate([trace.states[name].numpy() for name in spec.state_names], 2)


def grid(system: System, count: int) -> Floats:
    """Points over the window, evenly and its ends included, (count^S,S)."""
    axes = [torch.linspace(low, high, count, dtype=torch.float64) for low, high in system.window]
    points: Floats = torch.cartesian_prod(*axes).view(-1, len(axes)).numpy()
    return points


def standing(system: System, u: float) -> FixedPoints:
    """Fixed points, by Newton from a grid over the window."""
    start = torch.tensor(grid(system, STARTS))
    return fixed_points(system.spec, system.params, torch.tensor([u], dtype=torch.float64), start)


@dataclass(frozen=True)
class Bifurcation:
    """A system of one unit, for every weight of the diagram.

    Attributes:
        w: (K,).
        last: the last steps of each orbit, (K,L); infinite where it ran away.
        branch_w, branch_h: w and h of every fixed point that was found, (N,) and (N,).
        piece: which run of neighbours each belongs to, (N,).
    """

    w: Floats
    last: Floats
    branch_w: Floats
    branch_h: Floats
    slope: Floats
    piece: NDArray[np.int64]


def bifurcation(system: System, u: float, h0: float) -> Bifurcation:
    """Orbits from h0 and branches of fixed points, for every w from -5 to 5; w is the last row of W_hh.

    An orbit's last steps are what remains after `TRANSIENT` of them. A branch is solved for w at given h,
    f(h; w) = h, by bisection: f is monotone in w. Where f(0) = 0 whatever w is, h = 0 is a branch.
    """
    w = torch.linspace(-W_SPAN, W_SPAN, W_STEPS + 1, dtype=torch.float64).numpy()
    family = _Family(system, u)
    last = family.orbits(w, h0)
    levels = _levels(system)
    found = family.solve(levels)
    branch_w, branch_h = found[np.isfinite(found)], levels[np.isfinite(found)]
    runs = np.cumsum(np.diff(np.flatnonzero(np.isfinite(found)), prepend=-1) > 1)
    piece: NDArray[np.int64] = runs.astype(np.int64) * 2 + (branch_h > 0)
    if not family.step(w, np.zeros_like(w)).any():
        branch_w, branch_h = np.concatenate([branch_w, w]), np.concatenate([branch_h, np.zeros_like(w)])
        piece = np.concatenate([piece, np.full(len(w), piece.max(initial=0) + 1)])
    return Bifurcation(w, last, branch_w, branch_h, family.slope(branch_w, branch_h), piece)


def _levels(system: System) -> Floats:
    """Where a branch is solved for w, from low to high: ever denser towards the ends of a bounded state."""
    state, (low, high) = system.spec.states[0], system.window[0]
    if np.isfinite([state.low, state.high]).all():
        a = torch.linspace(-SQUASHED, SQUASHED, 2 * LEVELS + 1, dtype=torch.float64)
        h = (state.low + state.high) / 2 + (state.high - state.low) / 2 * torch.tanh(a)
    else:
        h = torch.linspace(low, high, 2 * LEVELS + 1, dtype=torch.float64)
    levels: Floats = h[h.abs() > 1e-9].numpy()
    return levels


class _Family:
    """One unit with many weights w at once, each a model of its own."""

    def __init__(self, system: System, u: float) -> None:
        self._kernel, self._params, self._u = kernel_of(system.spec), system.params, u

    def orbits(self, w: Floats, h0: float) -> Floats:
        """The last steps from h0, (K,L)."""
        h = self._run(w, np.full_like(w, h0), TRANSIENT + KEPT)
        return h[-KEPT:, :, 0, 0].T.numpy().copy()

    def step(self, w: Floats, h: Floats) -> Floats:
        """f(h; w), (K,) and (K,) -> (K,)."""
        return self._run(w, h, 1)[1, :, 0, 0].numpy().copy()

    def slope(self, w: Floats, h: Floats) -> Floats:
        """f′(h; w), (K,) and (K,) -> (K,); NaN at a kink."""
        if not len(w):
            return w
        before, here, after = (self._slope(w, h + aside) for aside in (-ASIDE, 0.0, ASIDE))
        return np.where(np.abs(after - before) > 1e-3, np.nan, here)

    def _slope(self, w: Floats, h: Floats) -> Floats:
        self._run(w, h, 1)
        one = torch.ones(1, len(w), 1, 1, dtype=torch.float64)
        return self._kernel.backward(one).d_states["h"][0, :, 0, 0].numpy().copy()

    def solve(self, h: Floats) -> Floats:
        """The w within reach at which h stands still, (N,) -> (N,); NaN where there is none."""
        low, high = np.full_like(h, -W_REACH), np.full_like(h, W_REACH)
        at_low, at_high = self.step(low, h) - h, self.step(high, h) - h
        there = at_low * at_high <= 0
        sign = np.where(at_low <= 0, 1.0, -1.0)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            above = sign * (self.step(middle, h) - h) > 0
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.where(there, (low + high) / 2, np.nan)

    def _run(self, w: Floats, h: Floats, T: int) -> torch.Tensor:
        K = len(w)
        params = {name: value.expand(K, *value.shape).clone() for name, value in self._params.items()}
        params["W_hh"][:, -1, 0] = torch.tensor(w)
        x = torch.full((T, K, 1, 1), self._u, dtype=torch.float64)
        return self._kernel.forward(params, x, {"h": torch.tensor(h).view(K, 1, 1)})["h"]


@dataclass(frozen=True)
class Plane:
    """A system with two numbers of state under a constant input.

    Attributes:
        field: points on a grid, (N,2).
        change: f(s) - s there, (N,2).
        nullclines: for each number of the state, the lines on which a step leaves it, (·,2) each; none
            where a whole area is left as it is.
        fixed: where both stay.
    """

    field: Floats
    change: Floats
    nullclines: tuple[tuple[Floats, ...], tuple[Floats, ...]]
    fixed: FixedPoints


def plane(system: System, u: float) -> Plane:
    """The vector field, its nullclines and its fixed points within the window."""
    field = grid(system, FIELD)
    return Plane(
        field,
        image(system, u, field) - field,
        _nullclines(system, u),
        standing(system, u),
    )


def _nullclines(system: System, u: float) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """Lines f_k(s) = s_k: contours over a grid, each vertex then moved onto the line by Newton steps."""
    points, step = grid(system, CONTOUR), map_of(system, u)
    x, y = points[::CONTOUR, 0], points[:CONTOUR, 1]
    gap = (image(system, u, points) - points).reshape(CONTOUR, CONTOUR, 2)
    found: list[tuple[Floats, ...]] = []
    for k in (0, 1):
        # Where a whole area stays as it is, a contour would be no more than the area's edge.
        area = (gap[..., k] == 0).mean() > AREA
        contours = contourpy.contour_generator(x, y, gap[..., k].T, line_type="Separate")
        lines = [] if area else contours.lines(0.0)
        found.append(tuple(_onto(step, k, np.asarray(line)) for line in lines))
    return found[0], found[1]


def _onto(step: StepMap, k: int, line: Floats) -> Floats:
    """Vertices (N,2) near f_k(s) = s_k, moved along the gradient until they are on it but for rounding."""
    s = torch.tensor(line)
    with torch.no_grad():
        for _ in range(4):
            gap = (step(s) - s)[:, k]
            slope = step.jacobian(s)[:, k]
            slope[:, k] -= 1
            size = (slope * slope).sum(1)
            s = s - torch.where(size > MARGIN, gap / size.clamp_min(MARGIN), 0.0).unsqueeze(1) * slope
    moved: Floats = s.numpy()
    return moved
