"""What the pictures of an error surface are drawn from: the surface, the wall in it, and ways down."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Box = tuple[tuple[float, float], tuple[float, float]]  # (from, to) of w and of b


@dataclass(frozen=True)
class Surface:
    """E over (w, b).

    Attributes:
        w, b: the points of the grid, (N,) each, increasing.
        E, dw, db: the error, ∂E/∂w and ∂E/∂b, (N,N) each; a row is one b, a column one w.
    """

    w: Array
    b: Array
    E: Array
    dw: Array
    db: Array

    @property
    def box(self) -> Box:
        """What it covers."""
        return (float(self.w[0]), float(self.w[-1])), (float(self.b[0]), float(self.b[-1]))

    @cached_property
    def norm(self) -> Array:
        """‖∇E‖, (N,N)."""
        return np.hypot(self.dw, self.db)

    @property
    def table(self) -> dict[str, Array]:
        """A row a point, w changing fastest."""
        w, b = np.meshgrid(self.w, self.b)
        columns = {"w": w, "b": b, "E": self.E, "dE_dw": self.dw, "dE_db": self.db}
        return {name: column.ravel() for name, column in columns.items()}

    def log_steepness(self, wall: Wall) -> Array:
        """log₁₀ of the largest ‖∇E‖ known around each point, (N,N): its own, or of the wall beside it.

        A wall is mostly thinner than the grid, whose points alone would show it here and there: the points
        next below and above it show the wall. -inf for an exact zero, inf where the wall's cannot be held.
        """
        norm = self.norm.copy()
        columns = np.abs(wall.w[:, None] - self.w).argmin(1)
        below = np.searchsorted(self.b, wall.b, side="right") - 1
        known = np.where(np.isnan(wall.norm), np.inf, wall.norm)
        for lines in (below, np.minimum(below + 1, len(self.b) - 1)):
            norm[lines, columns] = np.maximum(norm[lines, columns], known)
        with np.errstate(divide="ignore"):
            logs: Array = np.log10(norm)
        return logs

    def steepest(self) -> tuple[float, float, float]:
        """The largest ‖∇E‖ of its points, and the w and b where it is."""
        row, column = np.unravel_index(int(np.argmax(self.norm)), self.norm.shape)
        return float(self.norm[row, column]), float(self.w[column]), float(self.b[row])


@dataclass(frozen=True)
class Wall:
    """Where x₀ is a fixed point, b = x₀ - wφ(x₀), and where it repels: a wall of the surface.

    Attributes:
        w, b: points of the line where it repels, in the window, (M,) each.
        norm: ‖∇E‖ there, (M,); NaN where float64 cannot hold the state on x₀ for all steps.
    """

    w: Array
    b: Array
    norm: Array

    def steepest(self) -> tuple[float, float, float] | None:
        """As of a `Surface`; None where nothing repels, or nothing can be held."""
        if not np.isfinite(self.norm).any():
            return None
        k = int(np.nanargmax(self.norm))
        return float(self.norm[k]), float(self.w[k]), float(self.b[k])


@dataclass(frozen=True)
class Way:
    """One gradient descent: where it starts, and where each update leads.

    Attributes:
        w, b, E, dw, db: after 0, 1, … updates, (N+1,) each.
        clip: largest norm of a gradient; None without clipping.
    """

    w: Array
    b: Array
    E: Array
    dw: Array
    db: Array
    clip: float | None

    @cached_property
    def norm(self) -> Array:
        """‖∇E‖ before it is clipped, (N+1,)."""
        return np.hypot(self.dw, self.db)

    @property
    def clipped(self) -> NDArray[np.bool_]:
        """Whether the gradient at each point is above the threshold, (N+1,)."""
        return self.norm > (np.inf if self.clip is None else self.clip)

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which gradients an update went by, (N+1,): all but the last."""
        return np.arange(len(self.w)) < len(self.w) - 1

    @property
    def clipped_updates(self) -> int:
        """How many updates were clipped."""
        return int((self.clipped & self.used).sum())

    @property
    def broken_at(self) -> int | None:
        """The first update after which something is no finite number."""
        lost = ~np.isfinite(np.stack([self.w, self.b, self.E, self.dw, self.db])).all(0)
        return int(np.argmax(lost)) if lost.any() else None

    def inside(self, box: Box) -> NDArray[np.bool_]:
        """Which of its points lie in a window, (N+1,)."""
        (low, high), (bottom, top) = box
        return (low <= self.w) & (self.w <= high) & (bottom <= self.b) & (self.b <= top)
