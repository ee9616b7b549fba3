"""From all positions of *One weight* to the steps of the one that is shown, with their words: in the browser.

Vega-Lite transforms that filter, look up and say; every number comes from the tables as it is.
"""

from __future__ import annotations

from math import log
from typing import Any

from rnnviz.charts.one_weight_positions import PHIS

RUNS = "runs"
# On the logarithmic axis v is drawn at sign(v) ln(1 + |v|/NEAR_ZERO), up to its end.
LOG_END, NEAR_ZERO = 1e4, 0.001
# In pixels of a figure this high: each band's heading, its middle and half its height.
HEIGHT = 520
BANDS = {"h": (44, 90, 25), "p": (141, 235, 72), "term": (335, 400, 44)}

LISTS = ("p", "term", "sum")  # a value a step, of each position
RUN_LISTS = ("x", "h", "slope")  # the same, of each run
LINEAR = f"one_phi === '{PHIS[0]}'"
SHOWN, FIRST = (
    "datum.t >= first",
    "datum.t === first",
)  # the steps that p has come back to, and the last of them


def transforms() -> list[dict[str, Any]]:
    """The steps, a row each: their values, as ``p_t``, their places and their words."""
    opened = {name: f"split(datum.{name}, ' ')" for name in (*LISTS, *RUN_LISTS)}
    made = {
        **{f"{name}_t": f"toNumber(datum.{name}_here)" for name in LISTS},
        "h_t": _of("h", "datum.t"),
        "h_before": _of("h", "datum.t - 1"),
        "slope_t": _of("slope", "datum.t - 1"),
        "x_t": _of("x", "datum.t - 1"),
        "left": "datum.t - 0.32",
        "right": "datum.t + 0.32",
        "ink": "'ink'",
        **_places(),
        **_words(),
    }
    fields = [*RUN_LISTS, "words", "input", "y"]
    return [
        {"filter": "datum.run === run && datum.tau === one_tau"},
        {"lookup": "run", "from": {"data": {"name": RUNS}, "key": "run", "fields": fields}},
        {"calculate": "sequence(1, datum.tau + 1)", "as": "steps"},
        *({"calculate": expression, "as": f"{name}_all"} for name, expression in opened.items()),
        {
            "flatten": ["steps", *(f"{name}_all" for name in LISTS)],
            "as": ["t", *(f"{name}_here" for name in LISTS)],
        },
        *({"calculate": expression, "as": name} for name, expression in made.items()),
    ]


def _places() -> dict[str, str]:
    """Where each band draws a step's value, and its sign."""
    made = {}
    for name, (_, middle, half) in BANDS.items():
        made[f"{name}_y"] = f"{middle} - {half} * {_drawn(f'datum.{name}_t')}"
        made[f"{name}_sign"] = f"datum.{name}_t < 0 ? '−' : '+'"
    return made


def _words() -> dict[str, str]:
    """What stands above the bands, below them, and under the pointer."""
    here, after, before = (f"subscripts[datum.t{by}]" for by in ("", " + 1", " - 1"))
    y_hat, p, term = _of("h", "one_tau"), "datum.p_t", "datum.term_t"
    slope, slope_after = (
        f"({LINEAR} ? '' : ' · ' + {_said(value)})" for value in ("datum.slope_t", _of("slope", "first"))
    )
    start = _joined(
        "'p'", here, "' = ŷ − y = '", _said(y_hat), "' − '", _factor("datum.y"), "' = '", _said(p)
    )
    back = _joined(
        *("'p'", here, "' = w'", f"({LINEAR} ? '' : ' φ′(a' + {after} + ')')", "' p'", after, "' = '"),
        *(_said("one_w"), slope_after, "' · '", _factor(_of("p", "first")), "' = '", _said(p)),
    )
    part = _joined(
        *("'Part of dL/dw:  p'", here, f"({LINEAR} ? '' : ' φ′(a' + {here} + ')')", "' h'", before, "' = '"),
        *(_said(p), slope, "' · '", _factor("datum.h_before"), "' = '", _said(term)),
    )
    forward = _joined(
        "'Forward:  hₜ = '",
        f"({LINEAR} ? 'w hₜ₋₁ + xₜ' : 'tanh(w hₜ₋₁ + xₜ)')",
        *("',  w = '", _said("one_w"), "',  xₜ '", "datum.input", "' of size '", "one_size"),
        *("',  ŷ = h'", "subscripts[one_tau]", "' = '", _said(y_hat)),
    )
    whole = "first === 1"
    return {
        "h_says": forward,
        "p_says": f"'Backward:  ' + (datum.t === one_tau ? {start} : {back})",
        "term_says": part,
        "sum_name": f"'sum of the ' + (one_tau - first + 1) + ({whole} ? ' bars' : ' bars so far')",
        "sum_says": f"{whole} ? {_said('datum.total', 12)} : {_said('datum.sum_t', 4)}",
        "closed_says": f"{LINEAR} ? {_said('datum.closed', 12)} : 'none: φ′ differs at every step'",
        "autograd_name": "'autograd · ' + (datum.apart === 0 ? 'exactly equal' : "
        "'relative difference ' + format(datum.apart, '.0e'))",
        "autograd_says": _said("datum.autograd", 12),
        "tip": _pointed(),
    }


def _pointed() -> str:
    """A step in words, for a pointer."""
    gradient = _joined("',  p = '", _said("datum.p_t"), "',  part of dL/dw = '", _said("datum.term_t"))
    return _joined(
        *("'t = '", "datum.t", "':  x = '", _said("datum.x_t"), "',  h = '", _said("datum.h_t")),
        *("',  φ′ = '", _said("datum.slope_t")),
        f"({SHOWN} ? {gradient} : '')",
    )


def _of(name: str, index: str) -> str:
    return f"toNumber(datum.{name}_all[{index}])"


def _said(value: str, digits: int = 3) -> str:
    """A value in an expression, to so many digits."""
    return f"format({value}, '.{digits}~g')"


def _factor(value: str) -> str:
    """The same behind a dot or a minus: in brackets where it is negative."""
    return f"({value} < 0 ? '(' + {_said(value)} + ')' : {_said(value)})"


def _joined(*parts: str) -> str:
    return " + ".join(parts)


def _drawn(value: str) -> str:
    """Where on the axis, from -1 to 1."""
    whole = log(1 + LOG_END / NEAR_ZERO)
    logarithmic = f"({value} < 0 ? -1 : 1) * min(1, log(1 + abs({value}) / {NEAR_ZERO}) / {whole})"
    return f"(one_axis === 'log' ? {logarithmic} : clamp({value} / most, -1, 1))"
