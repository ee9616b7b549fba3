"""How far gradients reach: their norms, and the norm of each step, against steps back, on a log axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Columns, Figure, Formula
from rnnviz.charts.log_curves import (
    LIMITS,
    LOST_FLOOR,
    Curve,
    Setting,
    crossings,
    table_of,
)
from rnnviz.charts.log_picture import skeleton, tables_of

__all__ = ["SUBJECTS", "Curve", "Subject", "crossings", "gradient_norms", "step_norms"]


@dataclass(frozen=True)
class Subject:
    """What the loss is differentiated with respect to.

    Attributes:
        title: the figure's.
        y_title: the axis's.
        latex, plain: the formula, without what the loss is.
    """

    title: str
    y_title: str
    latex: str
    plain: str


SUBJECTS = {
    "states": Subject(
        "How much of the gradient reaches each earlier step?",
        "‖∂L/∂h‖ and ‖∂L/∂c‖",
        r"\dfrac{\partial L}{\partial s_{t-1}} = \left(\dfrac{\partial s_t}{\partial s_{t-1}}\right)^{\!\top}"
        r"\dfrac{\partial L}{\partial s_t} + \left.\dfrac{\partial L}{\partial s_{t-1}}\right|_{\text{read}}"
        r",\quad s = h \text{ or } (h, c)",
        "∂L/∂sₜ₋₁ = (∂sₜ/∂sₜ₋₁)⊤ ∂L/∂sₜ + what the loss itself reads of sₜ₋₁, s = h or (h, c)",
    ),
    "inputs": Subject(
        "How strongly does the loss react to each input?",
        "saliency ‖∂L/∂xₜ‖",
        r"\dfrac{\partial L}{\partial x_t} = W_{ih}^{\top} \dfrac{\partial L}{\partial a_t}"
        r",\quad a_t = W_{ih} x_t + \dots",
        "∂L/∂xₜ = W_ih⊤ ∂L/∂aₜ, aₜ = W_ih xₜ + …",
    ),
    "weights": Subject(
        "What does each time step add to the gradient of W_hh?",
        "‖(∂L/∂W_hh)ₜ‖",
        r"\dfrac{\partial L}{\partial W_{hh}} = \sum_{t=1}^{T}"
        r"\left(\dfrac{\partial L}{\partial W_{hh}}\right)_{\!t}"
        r",\quad t: \text{only the } W_{hh} \text{ of step } t \text{ moves}",
        "∂L/∂W_hh = Σₜ (∂L/∂W_hh)ₜ, t: only the W_hh of step t moves",
    ),
}
LOSSES = {
    "last": (r"L = \tfrac{1}{\sqrt{H}} \mathbf{1}^{\!\top} h_T", "L = 1⊤hₜ/√H at the last step"),
    "all": (
        r"L = \sum_t \tfrac{1}{\sqrt{H}} \mathbf{1}^{\!\top} h_t",
        "L = Σₜ 1⊤hₜ/√H",
    ),
}
VISIBLE = 0.05  # of a decade: lines closer than this are one
STEP = Formula(
    r"\left\lVert \dfrac{\partial h_t}{\partial h_{t-1}} \right\rVert_2 = \sigma_{\max}\!\left("
    r"\dfrac{\partial h_t}{\partial h_{t-1}}\right), \text{ the same for } c_t \text{; the other state held}",
    "‖∂hₜ/∂hₜ₋₁‖ = its largest singular value, the same for cₜ; the other state held",
)


def gradient_norms(
    curves: Sequence[Curve],
    caption: str,
    *,
    subject: str = "states",
    loss: str = "last",
    relative: bool = False,
    lost: Sequence[Curve] = (),
) -> Figure:
    """‖∂L/∂s_t‖ of every state of every cell against steps back, or of the inputs, or of the weights.

    Args:
        curves: what to draw.
        caption: the configuration and seed.
        subject: a name in ``SUBJECTS``.
        loss: ``last`` or ``all``, for the formula.
        relative: each curve divided by its own largest value; said wherever it is so.
        lost: where ``curves`` are of float32: the same in float64.
    """
    about = SUBJECTS[subject]
    title, y_title = about.title, about.y_title
    said = [caption, *_where_zero(curves, lost, first=subject == "weights")]
    drawn, full = curves, [replace(curve, style="float64", thin=True) for curve in lost]
    if relative:
        title = f"{title[:-1]}, relative to each curve’s own largest value?"
        y_title += " / its own largest"
        said.append("each curve divided by its own largest value: only shapes can be compared, not heights")
        drawn, full = [_relative(curve) for curve in drawn], [_relative(curve) for curve in full]
    seen = [apart for one, own in zip(full, drawn, strict=False) if (apart := _apart(one, own))]
    setting = Setting(
        floor=LOST_FLOOR if lost else log_axis.FLOOR,
        limits={} if relative or not lost else LIMITS,
        lost={(curve.cell, curve.state): curve for curve in full},
    )
    last = [f"{c.name} {log_axis.number(c.at(int(c.steps_back.max())), setting.floor)}" for c in drawn]
    latex, plain = LOSSES[loss]
    points, more = tables_of([*drawn, *seen], setting)
    return Figure(
        stem="gradient-norms",
        title=title,
        caption=" · ".join(said),
        description=f"{title} Log axis. At the first step: {'; '.join(last)}.",
        spec=skeleton(y_title),
        data=points,
        still=more,
        table=_table(curves, lost, relative),
        formula=Formula(f"{about.latex},\\quad {latex}", f"{about.plain}; {plain}"),
    )


def step_norms(curves: Sequence[Curve], caption: str) -> Figure:
    """‖∂s_t/∂s_{t-1}‖₂ of every state of every cell against steps back, and where it crosses 1."""
    title = "Does one step amplify or shrink a change of the state?"
    above = [f"{c.name} {int((c.log_norm > 0).sum())} of {len(c.log_norm)}" for c in curves]
    points, more = tables_of(curves, Setting(one=True))
    return Figure(
        stem="step-norms",
        title=title,
        caption=f"{caption} · steps above 1: {', '.join(above)}",
        description=f"{title} Log axis with a line at 1. Steps above it: {', '.join(above)}.",
        spec=skeleton("‖∂hₜ/∂hₜ₋₁‖ and ‖∂cₜ/∂cₜ₋₁‖", one=True),
        data=points,
        still=more,
        table=table_of(curves),
        formula=STEP,
    )


def _where_zero(curves: Sequence[Curve], lost: Sequence[Curve], first: bool) -> list[str]:
    """From which step back on a curve is exactly 0, in words for the caption; nothing where none is.

    Args:
        curves, lost: as for `gradient_norms`.
        first: whether the first step is 0 in any case.
    """
    said = ["step 1 adds exactly 0, as h₀ = 0"] if first else []
    zero = []
    for curve in curves:
        steps = curve.zero_from
        if steps is not None and not (first and steps == curve.steps_back.max()):
            zero.append(f"{curve.name} from {steps} step{'s' * (steps != 1)} back on")
    for curve in curves:
        missing = int(np.isnan(curve.log_norm).sum())
        said += [f"{curve.name} is not a number at {missing} of {len(curve.log_norm)} steps"] * bool(missing)
    if zero:
        return [*said, f"exactly 0{' in float32' if lost else ''}: {', '.join(zero)}"]
    return [*said, "in float32 none of it becomes 0"] if lost else said


def _relative(curve: Curve) -> Curve:
    finite = curve.log_norm[np.isfinite(curve.log_norm)]
    return replace(curve, log_norm=curve.log_norm - (finite.max() if len(finite) else 0.0))


def _apart(full: Curve, own: Curve) -> Curve | None:
    """The float64 curve where it is seen to leave its float32 one, and a step around; None if nowhere."""
    with np.errstate(invalid="ignore"):  # both may be 0, or beyond all floats
        differs = (full.log_norm != own.log_norm) & ~(np.abs(full.log10 - own.log10) < VISIBLE)
    near = differs | np.append(differs[1:], False) | np.append(False, differs[:-1])
    if not near.any():
        return None
    named = bool(differs[np.argmax(own.steps_back)])
    return replace(
        full,
        steps_back=full.steps_back[near],
        log_norm=full.log_norm[near],
        called=f"{own.name} in float64",
        quiet=not named,
    )


def _table(curves: Sequence[Curve], lost: Sequence[Curve], relative: bool) -> Columns:
    table = dict(table_of(curves, **({"dtype": "float32"} if lost else {})))
    if lost:
        more = table_of(lost, dtype="float64")
        table = {name: np.concatenate([values, more[name]]) for name, values in table.items()}
    if relative:
        parts = [_relative(curve).log_norm for curve in (*curves, *lost)]
        table["relative_to_own_largest"] = np.exp(np.concatenate(parts))
    return table
