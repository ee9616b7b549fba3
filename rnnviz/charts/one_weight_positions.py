"""Every position of the sliders of *One weight*: which there are, and what Torch found at each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST = 20  # steps
WEIGHTS = tuple(k / 20 for k in range(-30, 31))  # each the float that its decimal stands for
TAUS = tuple(range(2, LONGEST + 1))
SIZES = (0.25, 0.5, 1.0, 2.0)
PHIS = ("identity", "tanh")
AXES = ("2", "10", "50", "log")  # linear up to ± that, or signed logarithmic
WEIGHT_STEP = 0.05

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Position:
    """Where the sliders stand.

    Attributes:
        w: one of ``WEIGHTS``.
        tau: one of ``TAUS``; the loss reads this step.
        size: one of ``SIZES``, which the input is multiplied by.
        phi: one of ``PHIS``.
        back: how many steps back are drawn, from 0; all of them from tau - 1 on.
        axis: one of ``AXES``, which values are drawn on.
    """

    w: float = 0.9
    tau: int = LONGEST
    size: float = 0.25
    phi: str = PHIS[0]
    back: int = LONGEST - 1
    axis: str = AXES[1]

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Its indices along F, W, N and S of `Positions`."""
        return PHIS.index(self.phi), WEIGHTS.index(self.w), TAUS.index(self.tau), SIZES.index(self.size)


@dataclass(frozen=True)
class Positions:
    """h_t = φ(w h_{t-1} + x_t), L = ½(h_τ - y)², at F φ, W weights, N values of τ and S sizes at once.

    Attributes:
        x: the input at each size, (S,T).
        h: the states, (F,W,S,T+1), index 0 the initial one, 0; no τ changes them.
        slope: φ′(a_t), (F,W,S,T).
        p: ∂L/∂h_t for t = 1…T, (F,W,N,S,T); 0 after τ.
        terms: p_t φ′(a_t) h_{t-1}, what step t adds to dL/dw, (F,W,N,S,T).
        sums: of the terms from τ back to t, (F,W,N,S,T).
        closed: dL/dw in closed form, (F,W,N,S); NaN where φ is not the identity.
        autograd: dL/dw by autograd, (F,W,N,S).
        loss: L, (F,W,N,S).
        y: the target.
    """

    x: Array
    h: Array
    slope: Array
    p: Array
    terms: Array
    sums: Array
    closed: Array
    autograd: Array
    loss: Array
    y: float

    @property
    def apart(self) -> Array:
        """How far the ways to dL/dw are apart, relative to the largest, (F,W,N,S); 0 where all are equal."""
        ways = np.stack([self.sums[..., 0], self.autograd, np.nan_to_num(self.closed, nan=0.0)])
        ways[2] = np.where(np.isnan(self.closed), ways[1], ways[2])
        span, largest = np.ptp(ways, axis=0), np.abs(ways).max(0)
        apart: Array = np.divide(span, largest, out=np.zeros_like(span), where=largest > 0)
        return apart
