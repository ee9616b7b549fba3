"""A logarithmic axis that never drops a point.

Charts get log₁₀ of what they show, so that 1e-300 is a number like any other; what float32 could not
hold is drawn at the end of the axis, marked, and labelled as what it is.
"""

from __future__ import annotations

from math import ceil, floor, log10

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.rows import of

DECIMALS_UP_TO = 2.2  # decades; over more of them powers of ten read better
FLOOR, CEILING = -38, 38  # float32 keeps its full precision down to 1.2e-38, and ends at 3.4e38

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def ticks(low: float, high: float) -> dict[float, str]:
    """Where ticks stand between two log₁₀ values, and what they say: decimals, or 10⁻³, 10⁻², …"""
    rounding = 1e-9  # a norm of 1 may miss 0 by 1e-17
    span = range(floor(low) - 1, ceil(high) + 1)
    if high - low < DECIMALS_UP_TO:
        digits = (1, 2, 5) if high - low > 1 else (1, 1.5, 2, 3, 5, 7)
        every = {decade + log10(m): f"{m * 10.0**decade:g}" for decade in span for m in digits}
    else:
        stride = max(1, ceil((high - low) / 8))
        every = {float(k): "10" + str(k).translate(_SUPERSCRIPTS) for k in span if k % stride == 0}
    return {round(v, 9): label for v, label in every.items() if low - rounding <= v <= high + rounding}


def tick_layers(title: str, y: alt.Y, table: str | None = None) -> list[alt.Chart]:
    """The axis itself, drawn from rows of kind ``tick``: new limits are new data, not a new chart.

    Args:
        title: the axis's.
        y: the encoding.
        table: the name of the rows' table, where it is not the figure's own.
    """
    marks = of("tick", table)
    bare = y.axis(title=title, labels=False, grid=False, domain=False, ticks=False, titlePadding=58)
    return [
        marks.mark_rule(strokeWidth=1, opacity=0.3).encode(y=bare),
        marks.mark_text(align="right", dx=-10).encode(x=alt.value(0), y=y, text="label:N"),
    ]


def beyond(logs: NDArray[np.float64], floor: int = FLOOR) -> NDArray[np.str_]:
    """Which values lie beyond the axis: ``"below"``, ``"above"`` or ``""``, (N,) -> (N,).

    Args:
        logs: log₁₀ of them; -inf for an exact zero.
        floor: where the axis ends.
    """
    return np.where(logs < floor, "below", np.where(logs > CEILING, "above", ""))


def clamp(
    logs: NDArray[np.float64], floor: int = FLOOR
) -> tuple[NDArray[np.float64], NDArray[np.str_], list[str]]:
    """Where to draw each value, which are beyond the axis, and what to call them.

    Args:
        logs: log₁₀ of them, (N,); -inf for an exact zero.
        floor: where the axis ends.

    Returns:
        The places (N,), what `beyond` says (N,), and N labels in decimal notation.
    """
    return np.clip(logs, floor, CEILING), beyond(logs, floor), [number(v, floor) for v in logs.tolist()]


def number(power: float, floor: int = FLOOR) -> str:
    """10^power in decimal notation, from the power alone: right where the power is no float any more.

    Args:
        power: log₁₀ of it.
        floor: where the axis ends; what is smaller is said to be.
    """
    if np.isnan(power):
        return "not a number"
    if power < floor:
        return "exactly 0" if power == -np.inf else f"< 1e{floor} ({_scientific(power)})"
    return f"> 1e38 ({_scientific(power)})" if power > CEILING else _scientific(power)


def _scientific(power: float) -> str:
    if not np.isfinite(power):
        return "∞"
    exponent = int(np.floor(power))
    mantissa = f"{10 ** (power - exponent):.2f}"
    if mantissa == "10.00":  # rounded up into the next decade
        mantissa, exponent = "1.00", exponent + 1
    return f"{10**power:.3g}" if -3 <= exponent < 3 else f"{mantissa}e{exponent}"


def spread(places: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Move labels apart, as little as keeps them ``gap`` from each other and in their order.

    As little: in the sum of squares. Less the gaps it is a regression on a non-decreasing sequence, found
    by pooling neighbours that are out of order.
    """
    order = np.argsort(places, kind="stable")
    gaps = gap * np.arange(len(places))
    pools: list[tuple[float, int]] = []  # place and size
    for place in (places[order] - gaps).tolist():
        pools.append((place, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (b, m), (a, n) = pools.pop(), pools.pop()
            pools.append(((a * n + b * m) / (n + m), n + m))
    result = np.empty(len(places))
    result[order] = np.repeat([place for place, _ in pools], [size for _, size in pools]) + gaps
    return result


def edge_layers(x: alt.X, y: alt.Y, color: alt.Color, table: str | None = None) -> list[alt.Chart]:
    """Marks for what lies beyond the axis: a line at its end with its meaning, a triangle a point.

    Args:
        x, y, color: the encodings.
        table: as for `tick_layers`.
    """
    edges = of("edge", table)
    beyond = (alt.Chart(alt.NamedData(table)) if table else alt.Chart()).transform_filter(
        "datum.beyond == 'below' || datum.beyond == 'above'"
    )
    return [
        edges.mark_rule(strokeDash=[2, 3]).encode(y=y),
        edges.mark_text(align="right", dy=-14, fontSize=13).encode(x=alt.value("width"), y=y, text="label:N"),
        beyond.mark_point(filled=True, size=50, opacity=1).encode(
            x=x,
            y=y,
            color=color,
            shape=alt.Shape("beyond:N", legend=None).scale(
                domain=["below", "above"], range=["triangle-down", "triangle-up"]
            ),
        ),
    ]
