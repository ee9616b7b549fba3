"""What the view Two units says in words and as a matrix."""

from __future__ import annotations

from collections.abc import Sequence

from rnnviz.charts.fixed_marks import LABELLED, SIGNS
from rnnviz.charts.phase_plane import point_words
from rnnviz.dynamics import Floats
from rnnviz.engine import FixedPoints
from rnnviz.systems import System

COUNTING = (
    "In finite precision LSTM and ReLU networks count, tanh networks and GRU do not "
    "(Weiss, Goldberg & Yahav 2018)."
)


def about(system: System, u: float, s: Floats) -> str:
    """What a system does, and how well one that counts has counted.

    Args:
        system, u: the system and its input.
        s: s_0 … s_T, (T+1,2).
    """
    alone = "Left to itself: **s′ = f(s; θ)**."
    driven = f"With a constant input x = {u:g}: **s′ = f(s; θ, x)**."
    return " ".join(filter(None, [driven if u else alone, system.words, _counted(system, u, s)]))


def points(fixed: FixedPoints, axes: Sequence[str]) -> list[str]:
    """A line a fixed point; one for all where they are too many."""
    missed = (
        f"{fixed.missed} of {fixed.starts} starts of Newton's method came to none." if fixed.missed else ""
    )
    if not len(fixed):
        return [f"No fixed point was found from {fixed.starts} starts of Newton's method."]
    if len(fixed) > LABELLED:
        gaps = "" if fixed.isolated.all() else ": they lie side by side without gaps"
        return list(filter(None, [f"□ {len(fixed)} fixed points were found{gaps}.", missed]))
    signs = [SIGNS[kind] for kind in fixed.stability]
    lines = [f"{sign} {words}" for sign, words in zip(signs, point_words(fixed, axes), strict=True)]
    return [*lines, missed] if missed else lines


def _counted(system: System, u: float, s: Floats) -> str:
    if not system.count:
        return ""
    if u != 1:
        return f"Set u = 1 to let it count. {COUNTING}"
    axis, unit = system.count
    T = len(s) - 1
    error = abs(float(s[-1, axis] - s[0, axis]) / unit - T)
    said = "exactly" if error == 0 else f"off by {error:.3g}"
    read = f"{float(s[-1, axis] - s[0, axis]) / unit:.6g}"
    return f"After {T} steps {system.axes[axis]} has counted {read}: {said}. {COUNTING}"


def matrix(system: System) -> str:
    """All weights as one labelled matrix in LaTeX: a row a pre-activation, a column a thing that is read."""
    marks = [""] if system.H == 1 else [f"_{k + 1}" for k in range(system.H)]
    reads = [f"h{mark}" for mark in marks]
    biases = ["b_{ih}", "b_{hh}"] if system.b_hh else ["b"]
    rows = []
    for k, (U, W, b) in enumerate(zip(system.U, system.W, system.b, strict=True)):
        name = system.spec.blocks[k // system.H] + marks[k % system.H]
        last = [b, system.b_hh[k]] if system.b_hh else [b]
        rows.append(" & ".join([name, *map(_entry, [*U, W, *last])]))
    columns = "r|" + "r" * len(reads) + "|r|" + "r" * len(biases)
    head = " & ".join(["", *reads, "x", *biases])
    body = r" \\ ".join(rows)
    return rf"$$\begin{{array}}{{{columns}}} {head} \\ \hline {body} \end{{array}}$$"


def _entry(value: float) -> str:
    return f"{value:.3g}"
