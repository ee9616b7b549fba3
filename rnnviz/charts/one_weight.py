"""One weight's gradient: states forward, p_t = ∂L/∂h_t backward, and dL/dw as a sum over steps.

The figure holds every position of its sliders; which one it shows is chosen in the browser, by filters and
look-ups over what Torch computed. One fixed axis, the same in all three bands and at every position,
linear or signed logarithmic; what lies beyond it is marked.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rnnviz.charts.figure import Columns, Figure, Formula, Kept
from rnnviz.charts.one_weight_positions import (
    LONGEST,
    PHIS,
    SIZES,
    TAUS,
    WEIGHTS,
    Array,
    Position,
    Positions,
)
from rnnviz.charts.one_weight_rows import RUNS
from rnnviz.charts.one_weight_spec import TICKS, axes, skeleton

TITLE = "How does the gradient of one weight come about, step by step?"
FORMULA = Formula(
    r"p_{t-1} = w\,\varphi'(a_t)\,p_t,\qquad "
    r"\frac{\partial L}{\partial w} = \sum_{t=1}^{\tau} p_t\,\varphi'(a_t)\,h_{t-1},\qquad "
    r"a_t = w\,h_{t-1} + x_t,\quad h_t = \varphi(a_t),\quad L = \tfrac12 (h_\tau - y)^2",
    "pₜ₋₁ = w φ′(aₜ) pₜ, dL/dw = Σ pₜ φ′(aₜ) hₜ₋₁, L = ½(h_τ − y)²",
)


# What is asked first.
QUESTIONS = {
    "w = 1?": "Each step back multiplies p by 1: it keeps its size, and no step is forgotten.",
    "|w| < 1?": "p shrinks to |w| times at each step back: what came in early hardly moves w. It *vanishes*.",
    "|w| > 1?": "p grows to |w| times at each step back, as the state does forward. It *explodes*.",
    "w < 0?": "p turns its sign at each step back, and the parts of dL/dw may cancel.",
    "φ = tanh?": "No state leaves (−1, 1), so explosion is tamed; but where it saturates φ′ is near 0, and "
    "w φ′ lets p vanish even where |w| > 1.",
}
DIGITS = 4


class Tables(NamedTuple):
    """What the browser looks up: a row a position, and a row a run, which no τ changes."""

    rows: Columns
    runs: Columns


def tables(found: Positions, shape: str) -> Tables:
    """All positions, their steps as text, which a transform opens once the one to be shown is chosen."""
    F, W, N, S = found.autograd.shape
    run = np.arange(F * W * S).reshape(F, W, 1, S)
    taus = np.array(TAUS)[:, None]

    ends = np.broadcast_to(taus, (F, W, N, S)).ravel()

    def until(values: Array) -> list[str]:
        """Of each position the steps up to its τ."""
        return lines(values.reshape(-1, LONGEST)[np.arange(LONGEST) < ends[:, None]], ends)

    def whole(values: Array, length: int = LONGEST) -> list[str]:
        """Of each run all steps."""
        return lines(values.ravel(), np.full(F * W * S, length))

    rows = {
        "run": np.broadcast_to(run, (F, W, N, S)).ravel().astype(np.int16),
        "tau": ends.astype(np.int8),
        "p": until(found.p),
        "term": until(found.terms),
        "sum": until(found.sums),
        "total": found.sums[..., 0].ravel(),
        "closed": found.closed.ravel(),
        "autograd": found.autograd.ravel(),
        "apart": found.apart.ravel(),
    }
    runs = {
        "run": run.ravel(),
        "x": whole(np.broadcast_to(found.x, (F, W, S, LONGEST))),
        "h": whole(found.h, LONGEST + 1),
        "slope": whole(found.slope),
        "input": [shape] * (F * W * S),
        "y": np.full(F * W * S, found.y),
        "words": [words(phi, w) for phi in PHIS for w in WEIGHTS for _ in SIZES],
    }
    return Tables(Kept(rows), Kept(runs))


def lines(values: Array, lengths: NDArray[np.intp]) -> list[str]:
    """Numbers as text, so many a line: `DIGITS` of each, as a picture needs; none becomes 0 by it."""
    with np.errstate(divide="ignore"):
        power = np.where(values == 0, 0, DIGITS - 1 - np.floor(np.log10(np.abs(values))))
    # Divided by a power of ten that is a whole number, and so exact: the shortest text is the rounded one.
    up, down = 10.0 ** np.maximum(power, 0), 10.0 ** np.maximum(-power, 0)
    short = pa.array(np.round(values * up / down) * down / up).cast(pa.string())
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    joined: list[str] = pc.binary_join(pa.ListArray.from_arrays(offsets, short), " ").to_pylist()
    return joined


def words(phi: str, w: float) -> str:
    """What there is to see at this weight."""
    if w == 0:
        return "w = 0: nothing is remembered, and nothing goes back beyond the last step."
    if phi != PHIS[0]:
        if abs(w) <= 1:
            return "tanh: each step back multiplies p by w φ′, and φ′ ≤ 1: it vanishes faster still."
        return "tanh: no state explodes; but where it saturates φ′ is near 0, and w φ′ shrinks p."
    turned = " and turns its sign" if w < 0 else ""
    if abs(w) == 1:
        return f"|w| = 1: each step back keeps the size of p{turned}. It neither vanishes nor explodes."
    side, does, so = ("<", "shrinks", "vanish") if abs(w) < 1 else (">", "grows", "explode")
    return f"|w| {side} 1: each step back {does} p to {abs(w):g} times{turned}. Early steps {so}."


def one_weight(found: Positions, packed: Tables, start: Position, shown: Position, shape: str) -> Figure:
    """The figure of all positions.

    Args:
        found: every position.
        packed: the same from `tables`, kept by who draws it again and again.
        start: where the sliders begin; as long as it stays, the browser keeps its own.
        shown: where they stand now, for files.
        shape: the input's shape in words.
    """
    caption = f"{shape} input · target y = {said(found.y)} · float64"
    row = int(np.ravel_multi_index(shown.place, found.autograd.shape))
    return Figure(
        stem="one-weight",
        title=TITLE,
        caption=caption,
        description=_description(found, shown),
        spec=skeleton(start),
        data=packed.rows,
        now={name: column[row : row + 1] for name, column in packed.rows.items()},
        still={RUNS: packed.runs, TICKS: axes()},
        table=_table(found, shown),
        height=510,
        formula=FORMULA,
        scrubbed={
            "one_w": shown.w,
            "one_tau": shown.tau,
            "one_back": shown.back,
            "one_size": shown.size,
            "one_phi": shown.phi,
            "one_axis": shown.axis,
        },
    )


def said(value: float) -> str:
    """A number with a minus that is one."""
    return f"{value:g}".replace("-", "−")


def _description(found: Positions, shown: Position) -> str:
    at = shown.place
    f, i, _, s = at
    p, first = found.p[at], max(1, shown.tau - shown.back)
    closed = "" if np.isnan(found.closed[at]) else f"closed form {found.closed[at]:.12g}, "
    return (
        f"{TITLE} w = {shown.w:g}, τ = {shown.tau}, input of size {shown.size:g}, φ = {shown.phi}. "
        f"ŷ = {found.h[f, i, s, shown.tau]:.3g}. p is {p[shown.tau - 1]:.3g} at step {shown.tau} and "
        f"{p[first - 1]:.3g} at step {first}. dL/dw: sum of the steps {found.sums[at][0]:.12g}, {closed}"
        f"autograd {found.autograd[at]:.12g}."
    )


def _table(found: Positions, shown: Position) -> Columns:
    """The shown position's steps, all of them."""
    at = shown.place
    f, i, _, s = at
    until = slice(shown.tau)
    return {
        "t": np.arange(1, shown.tau + 1),
        "x": found.x[s, until],
        "h": found.h[f, i, s, 1 : shown.tau + 1],
        "phi_prime": found.slope[f, i, s, until],
        "p": found.p[at][until],
        "term": found.terms[at][until],
        "sum_from_tau": found.sums[at][until],
    }
