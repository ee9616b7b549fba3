"""Why gradients vanish: products of step Jacobians over lag, what bounds them, and the path beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import torch
from numpy.typing import NDArray

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Figure, Formula
from rnnviz.charts.log_curves import Curve, table_of
from rnnviz.charts.log_picture import skeleton, tables_of
from rnnviz.engine import CellSpec

WORDS_AT = (1, 10, 50, 100, 200)  # lags at which a caption says numbers


@dataclass(frozen=True)
class Bound:
    """What a step of a cell with one nonlinearity can multiply a change of its state by.

    Attributes:
        cell, cell_title: whose it is.
        sigma: the largest singular value of W_hh.
        steepest: the largest that φ′ can be.
        slope: the mean of φ′ over the run's steps and units.
        skips: whether a connection goes past φ: then each step multiplies by that much more.
    """

    cell: str
    cell_title: str
    sigma: float
    steepest: float
    slope: float
    skips: bool

    @property
    def factors(self) -> tuple[float, float]:
        """Per step: what bounds it, and the same with the measured mean slope, which does not."""
        past = 1.0 if self.skips else 0.0
        return past + self.steepest * self.sigma, past + self.slope * self.sigma

    def curves(self, lags: NDArray[np.int64]) -> tuple[Curve, Curve]:
        """Both to the power of the lag; at lag 0 each is 1."""
        found = []
        for factor, style in zip(self.factors, ("bound", "measured"), strict=True):
            log_factor = log(factor) if factor > 0 else -np.inf if factor == 0 else np.nan
            logs = np.multiply(lags, log_factor, where=lags > 0, out=np.zeros(len(lags)))
            called = "bound" if style == "bound" else "measured slope"
            found.append(Curve(self.cell, self.cell_title, style, lags, logs, style, called, thin=True))
        return found[0], found[1]

    @property
    def words(self) -> str:
        """In a caption."""
        bound, measured = self.factors
        plus = "1 + " if self.skips else ""
        return (
            f"{self.cell_title}: σ_max = {self.sigma:.4g} and φ′ ≤ {self.steepest:g}, so at most "
            f"({plus}{self.steepest:g} · {self.sigma:.4g})^lag = {bound:.4g}^lag; "
            f"with the measured mean φ′ = {self.slope:.4g} instead, {measured:.4g}^lag, which is no bound"
        )


def steepest(spec: CellSpec) -> float:
    """The largest that φ′ can be, looked for where the values of φ can lie, which it is written in.

    >>> from rnnviz.engine import CELLS
    >>> [steepest(CELLS["rnn"].with_options(activation=name)) for name in ("tanh", "sigmoid", "identity")]
    [1.0, 0.25, 1.0]
    """
    assert spec.slope is not None
    ranges = {part.name: (part.low, part.high) for part in spec.states}
    ranges |= {part.name: (part.low, part.high) for part in spec.gates}
    values = {
        name: torch.linspace(max(low, -1.0), min(high, 1.0), 2001, dtype=torch.float64)
        for name, (low, high) in ranges.items()
    }
    states = {name: values[name] for name in spec.state_names}
    return float(spec.slope(states, {name: values[name] for name in spec.gate_names}).max())


def products(curves: Sequence[Curve], bounds: Sequence[Bound], caption: str) -> Figure:
    """‖∂h_T/∂h_t‖₂ of every cell against lag, with the bound of those that have one nonlinearity."""
    title = "How much of a change at one step is left at the end?"
    lags = curves[0].steps_back
    own = {bound.cell: bound.curves(lags) for bound in bounds}
    drawn = [line for curve in curves for line in (curve, *own.get(curve.cell, ()))]
    furthest = int(lags.max())
    said = [f"{curve.name} {log_axis.number(curve.at(furthest))}" for curve in drawn]
    points, more = tables_of(drawn)
    return Figure(
        stem="jacobian-products",
        title=title,
        caption=" · ".join([*(bound.words for bound in bounds), caption]),
        description=f"{title} Log axis. At lag {furthest}: {'; '.join(said)}.",
        spec=skeleton("‖∂h_T/∂hₜ‖₂"),
        data=points,
        still=more,
        table=table_of(drawn),
        formula=_formula(any(bound.skips for bound in bounds)),
    )


def _formula(skips: bool) -> Formula:
    past, plain = ("1 + ", "1 + ") if skips else ("", "")
    return Formula(
        r"\dfrac{\partial h_T}{\partial h_t} = \left.\prod_{k=T}^{t+1} \dfrac{\partial s_k}{\partial s_{k-1}}"
        r"\right|_{h,h},\quad \text{RNN: } \left\lVert \dfrac{\partial h_T}{\partial h_t} \right\rVert_2 \le "
        rf"\left({past}\max\varphi'\,\sigma_{{\max}}(W_{{hh}})\right)^{{T-t}}",
        f"∂h_T/∂hₜ = Π ∂sₖ/∂sₖ₋₁ from T to t + 1, its part from h to h; RNN: ‖∂h_T/∂hₜ‖₂ ≤ "
        f"({plain}max φ′ · σ_max(W_hh))^(T − t)",
    )


def direct_paths(pairs: Sequence[tuple[Curve, Curve]], without: Sequence[str], caption: str) -> Figure:
    """The full Jacobian of the state that has a direct path against that path alone, for each such cell.

    Args:
        pairs: full and direct of each.
        without: cells that have no direct path.
        caption: the configuration and seed.
    """
    title = "Is the product of the gates the gradient?"
    curves = [curve for pair in pairs for curve in pair]
    lags = lags_said(int(curves[0].steps_back.max()))
    said = [f"{full.cell_title} {_ratios(full, direct, lags)}" for full, direct in pairs]
    none = [f"{', '.join(without)} has no direct path"] if without else []
    points, more = tables_of(curves)
    return Figure(
        stem="direct-path",
        title=title,
        caption=" · ".join([f"full over direct: {'; '.join(said)}", *none, caption]),
        description=f"{title} Log axis. Full Jacobian over direct path: {'; '.join(said)}.",
        spec=skeleton("‖∂s_T/∂sₜ‖₂, full and direct"),
        data=points,
        still=more,
        table=table_of(curves),
        formula=Formula(
            r"\text{direct: } \max_{\text{unit}} \prod_{k=t+1}^{T} f_k \text{ (LSTM)},\;"
            r"\prod z_k \text{ or } 1 - z_k \text{ (GRU)},\; 1 \text{ (residual)},\quad "
            r"\text{full: } \left\lVert \dfrac{\partial c_T}{\partial c_t} \right\rVert_2,\;"
            r"\left\lVert \dfrac{\partial h_T}{\partial h_t} \right\rVert_2",
            "direct: largest over units of Π fₖ (LSTM), of Π of what z keeps (GRU), 1 (residual); "
            "full: ‖∂c_T/∂cₜ‖₂, ‖∂h_T/∂hₜ‖₂",
        ),
    )


def lags_said(T: int) -> list[int]:
    """The lags at which words compare, of a run of T steps."""
    return [lag for lag in WORDS_AT if lag <= T]


def ratio(one: Curve, other: Curve, lag: int) -> str:
    """How many times the other a curve is."""
    if other.at(lag) == -np.inf:
        return "0/0" if one.at(lag) == -np.inf else "∞"
    return log_axis.number(one.at(lag) - other.at(lag))


def _ratios(full: Curve, direct: Curve, lags: Sequence[int]) -> str:
    return ", ".join(f"{ratio(full, direct, lag)}× at lag {lag}" for lag in lags)
