"""How *One weight* is drawn: three bands over the steps, and the three ways to dL/dw under them."""

from __future__ import annotations

from functools import cache
from math import log
from typing import Any

import altair as alt

from rnnviz.charts.figure import Columns, layered
from rnnviz.charts.one_weight_positions import (
    AXES,
    LONGEST,
    PHIS,
    SIZES,
    TAUS,
    WEIGHT_STEP,
    WEIGHTS,
    Position,
)
from rnnviz.charts.one_weight_rows import BANDS, FIRST, HEIGHT, LOG_END, NEAR_ZERO, SHOWN, transforms
from rnnviz.charts.rows import Rows
from rnnviz.charts.theme import SIGN, domain

TICKS = "ticks"
WORDS_AT, STEPS_AT, NAMES_AT, NUMBERS_AT = 14, 459, 487, 509  # as in BANDS
ACROSS = {"sum": 0.0, "closed": 0.32, "autograd": 0.68}  # where the three sums stand, in widths

_DOWN = alt.Scale(domain=[HEIGHT, 0], nice=False, zero=False)
_ALONG = alt.Scale(domain=[0.4, LONGEST + 0.6], nice=False, zero=False)
_COLOR = alt.Scale(domain=domain(SIGN, list(SIGN)))
_INK = alt.Color("ink:N", scale=_COLOR, legend=None)
_LEFT, _MIDDLE = (alt.X(f"{field}:Q", scale=_ALONG, axis=None) for field in ("left", "t"))


@cache
def skeleton(start: Position) -> dict[str, Any]:
    """The picture of whatever the sliders choose."""
    steps, shown = alt.Chart(), alt.Chart().transform_filter(SHOWN)
    last = alt.Chart().transform_filter(FIRST)
    top, bottom = BANDS["p"][1] - BANDS["p"][2], BANDS["term"][1] + BANDS["term"][2]
    mark = last.mark_rect(opacity=0.09).encode(
        x=_LEFT, x2="right:Q", y=_at(top), y2=alt.YDatum(bottom), color=_INK
    )
    whole = steps.mark_rect(opacity=0).encode(
        x=_LEFT, x2="right:Q", y=_at(0), y2=alt.YDatum(HEIGHT), tooltip=alt.Tooltip("tip:N", title=" ")
    )
    layers = [
        *_axis_layers(),
        mark,
        *(layer for name in BANDS for layer in _band(name, steps if name == "h" else shown)),
        *(_words(f"{name}_says", heading, weight=600) for name, (heading, _, _) in BANDS.items()),
        _words("words", WORDS_AT, size=17, weight=600),
        steps.mark_text(fontSize=13).encode(x=_MIDDLE, y=_at(STEPS_AT), text="t:N"),
        *_sum_layers(last),
        whole,
    ]
    spec = layered(layers, padding={"left": 8, "right": 8, "top": 8, "bottom": 4})
    return {**spec, "params": _params(start), "transform": transforms()}


def axes() -> Columns:
    """Lines and labels of both axes in every band; the low bands name their ends alone."""
    rows = Rows(("axis", "y", "label", "zero"))
    whole = log(1 + LOG_END / NEAR_ZERO)
    steps = {
        axis: {f"{float(axis) * share:g}": share for share in (0.5, 1.0)} for axis in AXES if axis != "log"
    }
    powers = (("", -2), ("1", 0), ("100", 2), ("10⁴", 4))
    steps["log"] = {label: log(1 + 10**power / NEAR_ZERO) / whole for label, power in powers}
    for axis, places in steps.items():
        for _, base, half in BANDS.values():
            for label, place in places.items():
                name = label if place == 1 or half > 50 else ""
                labels = [name, name and f"−{name}"]
                rows.add(2, axis=axis, y=[base - half * place, base + half * place], label=labels, zero=False)
            rows.add(1, axis=axis, y=float(base), label="0", zero=True)
    return rows.columns


def _at(place: str | float) -> alt.Y | alt.YDatum:
    """A height in the figure, from its top: a field's or this one."""
    if isinstance(place, str):
        return alt.Y(f"{place}:Q", scale=_DOWN, axis=None)
    return alt.YDatum(place, scale=_DOWN, axis=None)


def _words(field: str, height: float, across: Any = 0, size: float = 15, weight: Any = 400) -> alt.Chart:
    made: alt.Chart = (
        alt.Chart()
        .transform_filter(FIRST)
        .mark_text(align="left", fontSize=size, fontWeight=weight)
        .encode(x=alt.value(across), y=_at(height), text=f"{field}:N", color=_INK)
    )
    return made


def _axis_layers() -> list[alt.Chart]:
    marks = alt.Chart(alt.NamedData(TICKS)).transform_filter("datum.axis === one_axis")
    y = _at("y")
    return [
        marks.transform_filter("!datum.zero").mark_rule(strokeWidth=1, opacity=0.25).encode(y=y),
        marks.transform_filter("datum.zero").mark_rule(strokeWidth=1.2).encode(y=y),
        marks.mark_text(align="right", dx=-8, fontSize=12).encode(x=alt.value(0), y=y, text="label:N"),
    ]


def _band(name: str, rows: alt.Chart) -> list[alt.Chart]:
    """A bar a step; a triangle where a value leaves the axis, and a 0 where it is exactly zero."""
    _, base, half = BANDS[name]
    paint = _INK if name == "h" else alt.Color(f"{name}_sign:N", scale=_COLOR, legend=None)
    layers = [
        rows.mark_rect().encode(x=_LEFT, x2="right:Q", y=_at(f"{name}_y"), y2=alt.YDatum(base), color=paint)
    ]
    for sign, shape in ((1, "triangle-up"), (-1, "triangle-down")):
        beyond = rows.transform_filter(f"{sign} * datum.{name}_t > most")
        marks = beyond.mark_point(filled=True, shape=shape, size=110, opacity=1)
        layers.append(marks.encode(x=_MIDDLE, y=_at(base - sign * (half + 6)), color=paint))
    zero = rows.transform_filter(f"datum.{name}_t === 0").mark_text(dy=-8, fontSize=12)
    return [*layers, zero.encode(x=_MIDDLE, y=_at(base), text=alt.value("0"))]


def _sum_layers(last: alt.Chart) -> list[alt.Chart]:
    """The sum of the bars, the closed form and autograd's number, beside each other."""
    names: dict[str, Any] = {
        "sum": "sum_name:N",
        "closed": alt.value("closed form: (ŷ − y) Σ (τ − t) w^(τ−t−1) xₜ"),
        "autograd": "autograd_name:N",
    }
    layers = []
    for name, share in ACROSS.items():
        place = alt.expr(f"width * {share}")
        named = last.mark_text(align="left", fontSize=13)
        layers.append(named.encode(x=alt.value(place), y=_at(NAMES_AT), text=names[name]))
        layers.append(_words(f"{name}_says", NUMBERS_AT, place, 18, 600))
    return layers


def _params(start: Position) -> list[dict[str, Any]]:
    """The sliders, from where they start, and what follows from them."""

    def slider(name: str, value: float, low: float, high: float, step: float, label: str) -> dict[str, Any]:
        bound = {"input": "range", "min": low, "max": high, "step": step, "name": label}
        return {"name": f"one_{name}", "value": value, "bind": bound}

    def choice(name: str, value: Any, options: tuple[Any, ...], label: str) -> dict[str, Any]:
        bound = {"input": "radio", "options": list(options), "name": label}
        return {"name": f"one_{name}", "value": value, "bind": bound}

    w = f"round(one_w / {WEIGHT_STEP}) + {WEIGHTS.index(0.0)}"
    phi, size = f"indexof({list(PHIS)}, one_phi)", f"indexof({list(SIZES)}, one_size)"
    subscripts = ["".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(t)) for t in range(LONGEST + 1)]
    return [
        slider("w", start.w, WEIGHTS[0], WEIGHTS[-1], WEIGHT_STEP, "w"),
        slider("tau", start.tau, TAUS[0], TAUS[-1], 1, "τ"),
        slider("back", start.back, 0, LONGEST - 1, 1, "steps back"),
        choice("size", start.size, SIZES, "size of x"),
        choice("phi", start.phi, PHIS, "φ"),
        choice("axis", start.axis, AXES, "axis ±"),
        {"name": "run", "expr": f"({phi} * {len(WEIGHTS)} + {w}) * {len(SIZES)} + {size}"},
        {"name": "first", "expr": "one_tau - min(one_back, one_tau - 1)"},
        {"name": "most", "expr": f"one_axis === 'log' ? {LOG_END} : toNumber(one_axis)"},
        {"name": "subscripts", "expr": str(subscripts)},
    ]
