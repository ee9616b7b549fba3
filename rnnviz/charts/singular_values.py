"""Singular values of ∂h_T/∂h_t over lag: in how many directions the past still reaches the end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import log
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Figure, Formula, layered
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.theme import CELL, QUIET, domain

NAMES = ("kind", "cell", "k", "back", "place", "beyond", "width", "shade", "label")
BACK = "lag, T − t"
ROUNDING = 2.0**-52  # of float64
FEW = 12  # directions that can each be followed by eye
FORMULA = Formula(
    r"\sigma_k\left(\frac{\partial h_T}{\partial h_t}\right),\quad "
    r"\frac{\partial s_T}{\partial s_t} = J_T J_{T-1} \cdots J_{t+1}",
    "σₖ(∂h_T/∂hₜ), ∂s_T/∂sₜ = J_T ⋯ J₍ₜ₊₁₎",
)


@dataclass(frozen=True)
class Spectra:
    """The singular values of ∂h_T/∂h_t of one cell.

    Attributes:
        cell, title: its key and name.
        lags: T - t, (N,), increasing.
        logs: natural logarithm of them, (N,H), descending in each row; -inf for an exact zero.
        size: S, the rows of the products that they come from: H times the number of states.
    """

    cell: str
    title: str
    lags: NDArray[np.int64]
    logs: NDArray[np.float64]
    size: int

    @property
    def floor(self) -> NDArray[np.float64]:
        """ln of σ₁ · S · 2⁻⁵², (N,): of what is below, float64 knows no digit."""
        floor: NDArray[np.float64] = self.logs[:, 0] + log(self.size * ROUNDING)
        return floor

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which values stand above the floor, (N,H)."""
        known: NDArray[np.bool_] = self.logs > self.floor[:, None]
        return known


def singular_values(spectra: Spectra, caption: str) -> Figure:
    """σ_k of ∂h_T/∂h_t against lag, a line a direction, with the floor under which rounding is all there is.

    Args:
        spectra: of one cell.
        caption: the configuration and seed.
    """
    lags, known = spectra.lags, spectra.known
    logs, H = spectra.logs / log(10), spectra.logs.shape[1]
    rows = Rows(NAMES)
    for k in range(H):
        _add_line(rows, spectra, k)
    floor, off, _ = log_axis.clamp(spectra.floor / log(10))
    drawn = np.isfinite(floor) & (off == "")
    rows.add(
        int(drawn.sum()), kind="floor", cell="floor", back=lags[drawn].tolist(), place=floor[drawn].tolist()
    )
    _add_words(rows, spectra, drawn)
    left, last = int(known[-1].sum()), int(lags[-1])
    largest = log_axis.number(float(logs[-1, 0]))
    title = "In how many directions does the past still reach the end?"
    said = f"at lag {last}: σ₁ = {largest}, {left} of {H} above float64’s rounding floor σ₁·S·2⁻⁵²"
    return Figure(
        stem="singular-values",
        title=title,
        caption=f"{said} · {caption}",
        description=f"{title} {spectra.title}, log axis, a line each of {H} singular values of the Jacobian "
        f"product from lag {lags[0]} to {last}; {said}. Lines end at the floor.",
        spec=_skeleton(),
        data=rows.columns,
        table={
            "lag": np.repeat(lags, H),
            "k": np.tile(np.arange(1, H + 1), len(lags)),
            "log10_singular_value": np.where(known, logs, np.nan).ravel(),
            "log10_floor": np.repeat(spectra.floor / log(10), H),
            "above_floor": known.ravel().astype(int),
        },
        formula=FORMULA,
    )


def _add_line(rows: Rows, spectra: Spectra, k: int) -> None:
    """One direction as far as it is known; where it meets the floor, a mark there."""
    lags, known = spectra.lags, spectra.known[:, k]
    logs = spectra.logs[:, k] / log(10)
    if k == 0:
        known = np.isfinite(logs) | ~known  # the largest is known to its last digit, a zero included
    end = len(lags) if known.all() else int(np.argmin(known))
    places, off, said = log_axis.clamp(logs[:end])
    others = 0.75 if spectra.logs.shape[1] <= FEW else 0.45
    look = {"width": 3.0, "shade": 1.0} if k == 0 else {"width": 1.5, "shade": others}
    common = {"cell": spectra.cell, "k": k + 1, **look}
    rows.add(
        end,
        kind="line",
        back=lags[:end].tolist(),
        place=places.tolist(),
        beyond=off.tolist(),
        label=[
            f"σ_{k + 1} at lag {lag}: {text}" for lag, text in zip(lags[:end].tolist(), said, strict=True)
        ],
        **common,
    )
    if end < len(lags) and np.isfinite(spectra.floor[end]):
        place = float(np.clip(spectra.floor[end] / log(10), log_axis.FLOOR, log_axis.CEILING))
        label = f"σ_{k + 1} from lag {lags[end]} on: below what float64 resolves"
        rows.add(1, kind="line", back=int(lags[end]), place=place, **common)
        rows.add(1, kind="sunk", back=int(lags[end]), place=place, label=label, **common)


def _add_words(rows: Rows, spectra: Spectra, drawn: NDArray[np.bool_]) -> None:
    """Names at the lines' ends, ends of the axis and its ticks."""
    lags = spectra.lags
    places = [v for v in rows.columns["place"] if v is not None and np.isfinite(v)] or [0.0]
    low, high = min(places), max(places)
    gap = max(high - low, 0.01) / 13
    named = [("end", float(np.clip(spectra.logs[-1, 0] / log(10), log_axis.FLOOR, log_axis.CEILING)), "σ₁")]
    if drawn.any():
        at = float(spectra.floor[drawn][-1] / log(10))
        named.append(("ground", at, "float64’s floor"))
    where = log_axis.spread(np.array([place for _, place, _ in named]), gap).tolist()
    for (kind, _, label), place in zip(named, where, strict=True):
        rows.add(1, kind=kind, cell=spectra.cell, back=int(lags[-1]), place=place, label=label)
    for side, place, label in (
        ("below", log_axis.FLOOR, f"< 1e{log_axis.FLOOR}"),
        ("above", log_axis.CEILING, f"> 1e{log_axis.CEILING}"),
    ):
        if side in rows.columns["beyond"]:
            rows.add(1, kind="edge", place=float(place), label=label)
    ticks = log_axis.ticks(low, high)
    rows.add(len(ticks), kind="tick", place=list(ticks), label=list(ticks.values()))


@cache
def _skeleton() -> dict[str, Any]:
    x = alt.X("back:Q", title=BACK).scale(nice=False, zero=True).axis(grid=False, tickMinStep=1)
    y = alt.Y("place:Q").scale(zero=False, nice=False)
    places = {**CELL, "floor": QUIET}
    color = alt.Color("cell:N", legend=None).scale(domain=domain(places, list(places)))
    text, tip = "label:N", alt.Tooltip("label:N", title=" ")
    shade = alt.Opacity("shade:Q", legend=None).scale(None)
    width = alt.StrokeWidth("width:Q", legend=None).scale(None)
    named: dict[str, Any] = {"align": "left", "dx": 8, "fontWeight": 600}
    layers = [
        *log_axis.tick_layers("σₖ of ∂h_T/∂hₜ", y),
        of("floor").mark_line(strokeDash=[3, 4], strokeWidth=2).encode(x=x, y=y, color=color),
        of("line").mark_line().encode(x=x, y=y, color=color, detail="k:N", opacity=shade, strokeWidth=width),
        of("sunk")
        .mark_point(filled=False, size=34, strokeWidth=1.5, opacity=0.9)
        .encode(x=x, y=y, color=color, tooltip=tip),
        of("line").mark_point(size=50, opacity=0, filled=True).encode(x=x, y=y, tooltip=tip),
        of("end").mark_text(fontSize=16, **named).encode(x=x, y=y, text=text, color=color),
        of("ground").mark_text(**named).encode(x=x, y=y, text=text),
        *log_axis.edge_layers(x, y, color),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})
