"""A recurrent matrix seen twice: its eigenvalues on the complex plane, beside its singular values.

Both stand in one view, placed in pixels: the plane's unit is as long upward as to the right, on every
screen and in every file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import floor, log10
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.figure import Figure, Formula, layered
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.theme import CELL, QUIET, domain

NAMES = ("kind", "cell", "x", "x2", "y", "y2", "size", "label")
LIMITS = (
    1.25,
    1.5,
    2.0,
    2.5,
    3.0,
    4.0,
    5.0,
    6.0,
    8.0,
    10.0,
)  # where a plane may end: few, so that it stands still
BETWEEN = 110  # pixels between the plane and the singular values
# What large H tends to where every weight is drawn from U(±1/√H): the circular law for ρ; 2 · the entries'
# deviation · √H for σ_max (Bai & Yin 1993).
LARGE_H = {"ρ": 3**-0.5, "σ_max": 2 * 3**-0.5}
FORMULA = Formula(
    r"\rho = \max_k \left|\lambda_k\right|,\; W_{hh} v_k = \lambda_k v_k \qquad "
    r"\sigma_{\max} = \left\lVert W_{hh} \right\rVert_2 "
    r"= \max_{v \neq 0} \lVert W_{hh} v\rVert / \lVert v \rVert",
    "ρ = max |λₖ|,  σ_max = ‖W_hh‖₂ = max ‖W_hh v‖ / ‖v‖",
)


@dataclass(frozen=True)
class Matrix:
    """One H × H block of W_hh.

    Attributes:
        cell: the cell's key.
        cell_title: the cell's name.
        block: the block's; empty where the cell has one matrix.
        eigenvalues: (H,), largest modulus first.
        singular_values: (H,), descending.
    """

    cell: str
    cell_title: str
    block: str
    eigenvalues: NDArray[np.complex128]
    singular_values: NDArray[np.float64]

    @property
    def title(self) -> str:
        """As ``RNN``, or ``LSTM, block f``."""
        return f"{self.cell_title}, block {self.block}" if self.block else self.cell_title

    @property
    def radius(self) -> float:
        """ρ, the largest modulus of an eigenvalue."""
        return float(np.abs(self.eigenvalues).max())

    @property
    def norm(self) -> float:
        """σ_max, the largest singular value."""
        return float(self.singular_values[0])


def eigenvalues(matrix: Matrix, caption: str) -> Figure:
    """λ_k of one block of W_hh with the unit circle, and its σ_k with a line at 1.

    Args:
        matrix: the block.
        caption: the configuration and seed.
    """
    rows = Rows(NAMES)
    _add_plane(rows, matrix)
    _add_values(rows, matrix)
    H, rho, largest = len(matrix.eigenvalues), matrix.radius, matrix.norm
    outside = int((np.abs(matrix.eigenvalues) > 1).sum())
    above = int((matrix.singular_values > 1).sum())
    block = f"block {matrix.block} · " if matrix.block else ""
    title = "What does W_hh do to a state: over and over, and once?"
    return Figure(
        stem="recurrent-spectrum",
        title=title,
        caption=f"{block}ρ = {rho:.4g} · σ_max = {largest:.4g} · PyTorch's "
        f"default: ρ → {LARGE_H['ρ']:.3f} and σ_max → {LARGE_H['σ_max']:.3f} as H grows · {caption}",
        description=f"{title} {matrix.title}. Left, its {H} eigenvalues on the complex plane: spectral "
        f"radius {rho:.4g}, {outside} of them outside the unit circle. Right, its singular values, from "
        f"{largest:.4g} down to {matrix.singular_values[-1]:.3g}, {above} of {H} above 1.",
        spec=_skeleton(),
        data=rows.columns,
        table={
            "k": np.arange(1, H + 1),
            "eigenvalue_real": matrix.eigenvalues.real,
            "eigenvalue_imag": matrix.eigenvalues.imag,
            "modulus": np.abs(matrix.eigenvalues),
            "singular_value": matrix.singular_values,
        },
        height=380,
        formula=FORMULA,
    )


def limit(largest: float) -> float:
    """Where an axis ends that holds a number and 1.

    >>> limit(0.3), limit(1.21), limit(17.0)
    (1.25, 1.5, 20.0)
    """
    wanted = max(1.0, largest) * 1.04
    decade = 10.0 ** floor(log10(wanted))
    return next(m * decade for m in (1.0, *LIMITS) if m * decade >= max(wanted, 1.25))


def _add_plane(rows: Rows, matrix: Matrix) -> None:
    """Places from -1 to 1 in units of the plane's half side."""
    end = limit(matrix.radius)
    rows.add(1, kind="circle", cell="unit", size=1 / end)
    rows.add(1, kind="said", label="solid: |λ| = 1 · dashed: |λ| = ρ")
    if matrix.radius > 0:
        rows.add(1, kind="radius", cell=matrix.cell, size=matrix.radius / end)
    marks = (
        [(1.0, "1"), (-1.0, "−1")] if end < 4 else [(end / 2, f"{end / 2:g}"), (-end / 2, f"−{end / 2:g}")]
    )
    rows.add(2, kind="real", x=[v / end for v, _ in marks], x2=[12, -15], label=[text for _, text in marks])
    ends = [text.removesuffix("1") + "i" if end < 4 else f"{text}i" for _, text in marks]
    rows.add(2, kind="imag", y=[v / end for v, _ in marks], y2=[-10, 14], label=ends)
    values = matrix.eigenvalues
    rows.add(
        len(values),
        kind="eigenvalue",
        cell=matrix.cell,
        x=(values.real / end).tolist(),
        y=(values.imag / end).tolist(),
        label=[
            f"λ = {v.real:.4g} {'−' if v.imag < 0 else '+'} {abs(v.imag):.4g}i, |λ| = {abs(v):.4g}"
            for v in values.tolist()
        ],
    )
    rows.add(1, kind="head", x=0.0, label=f"eigenvalues: ρ = {matrix.radius:.3g}")


def _add_values(rows: Rows, matrix: Matrix) -> None:
    """Places from 0 to 1 in each direction."""
    values, H = matrix.singular_values, len(matrix.singular_values)
    end = limit(matrix.norm)
    step = end / 5 if end in (1.25, 2.5, 5.0) else end / 4 if end in (2.0, 4.0, 8.0, 10.0) else end / 3
    ticks = [k * step for k in range(round(end / step) + 1)]
    rows.add(len(ticks), kind="tick", y=[v / end for v in ticks], label=[f"{v:.3g}" for v in ticks])
    rows.add(1, kind="one", y=1 / end, label="1: as long as before")
    rows.add(
        H,
        kind="value",
        cell=matrix.cell,
        x=((np.arange(H) + 0.5) / H).tolist(),
        y=(values / end).tolist(),
        label=[f"σ_{k} = {v:.4g}" for k, v in enumerate(values.tolist(), 1)],
    )
    ends = [(0.5 / H, "1"), ((H - 0.5) / H, str(H))][: 1 if H == 1 else 2]
    rows.add(len(ends), kind="rank", x=[x for x, _ in ends], label=[text for _, text in ends])
    rows.add(1, kind="side", x=0.0, label=f"singular values: σ_max = {matrix.norm:.3g}")


def _px(expression: str) -> Any:
    """A place in pixels, from a row's own columns."""
    return alt.value(alt.expr(expression))


@cache
def _skeleton() -> dict[str, Any]:
    half, left = "height / 2", f"(height + {BETWEEN})"
    across = f"max(80, width - {left})"
    x, y = _px(f"{half} * (1 + datum.x)"), _px(f"{half} * (1 - datum.y)")
    at, up = _px(f"{left} + datum.x * {across}"), _px("height * (1 - datum.y)")
    middle, bottom, none = _px(half), alt.value("height"), alt.value(0)
    places = {**CELL, "unit": QUIET}
    color = alt.Color("cell:N", legend=None).scale(domain=domain(places, list(places)))
    tip, text = alt.Tooltip("label:N", title=" "), "label:N"
    area = _px("pow(height * datum.size, 2)")
    ring: dict[str, Any] = {"shape": "circle", "filled": False, "opacity": 1}
    head: dict[str, Any] = {
        "align": "left",
        "baseline": "bottom",
        "dy": -12,
        "fontWeight": 600,
        "fontSize": 16,
    }
    ends = {"x": _px(left), "x2": _px(f"{left} + {across}")}
    layers = [
        of("head").mark_rule(opacity=0.35).encode(x=none, x2=_px("height"), y=middle),
        of("head").mark_rule(opacity=0.35).encode(x=middle, y=none, y2=bottom),
        of("circle").mark_point(**ring, strokeWidth=2.5).encode(x=middle, y=middle, size=area, color=color),
        of("radius")
        .mark_point(**ring, strokeWidth=1.5, strokeDash=[5, 4])
        .encode(x=middle, y=middle, size=area, color=color),
        of("real").mark_text(dy=14).encode(x=_px(f"{half} * (1 + datum.x) + datum.x2"), y=middle, text=text),
        of("imag")
        .mark_text(dx=8, align="left")
        .encode(x=middle, y=_px(f"{half} * (1 - datum.y) + datum.y2"), text=text),
        of("said").mark_text(baseline="top", dy=8).encode(x=middle, y=bottom, text=text),
        of("eigenvalue")
        .mark_point(filled=True, size=62, opacity=0.9)
        .encode(x=x, y=y, color=color, tooltip=tip),
        of("head").mark_text(**head).encode(x=none, y=none, text=text),
        of("tick").mark_rule(opacity=0.3).encode(**ends, y=up),
        of("tick").mark_text(align="right", dx=-10).encode(x=_px(left), y=up, text=text),
        of("one").mark_rule(strokeWidth=2).encode(**ends, y=up),
        of("value").mark_rule(strokeWidth=2, opacity=0.35).encode(x=at, y=up, y2=bottom, color=color),
        of("value")
        .mark_point(filled=True, size=62, opacity=0.9)
        .encode(x=at, y=up, color=color, tooltip=tip),
        of("one").mark_text(align="right", dy=-10).encode(x=ends["x2"], y=up, text=text),
        of("rank").mark_text(baseline="top", dy=8).encode(x=at, y=bottom, text=text),
        of("side")
        .mark_text(baseline="top", dy=8)
        .encode(x=_px(f"{left} + {across} / 2"), y=bottom, text=alt.value("k, largest first")),
        of("side").mark_text(**head).encode(x=_px(left), y=none, text=text),
    ]
    return layered(layers, padding={"right": 12, "top": 8, "bottom": 8, "left": 8})
