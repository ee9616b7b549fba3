"""A cell's equations as a lecture writes them, with the numbers of one unit at one step beneath."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from rnnviz.charts.theme import QUANTITY, quantity_colour
from rnnviz.engine import Equation


class _Number:
    """A number as it stands in an equation: ``:+`` brings its sign as an operator."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __format__(self, spec: str) -> str:
        if spec == "+":
            return ("- " if self.value < 0 else "+ ") + plain(abs(self.value))
        text = plain(self.value)
        return f"({text})" if text.startswith("-") else text


def plain(value: float) -> str:
    """LaTeX: three decimals, or three digits and a power of ten; ``1e+03`` would read as e plus 3."""
    if not math.isfinite(value):
        return r"\text{not a number}" if math.isnan(value) else ("-" if value < 0 else "") + r"\infty"
    if abs(value) < 1000:
        text = f"{value:.3f}"
        return "0.000" if text == "-0.000" else text
    mantissa, exponent = f"{value:.2e}".split("e")
    return rf"{mantissa}\cdot 10^{{{int(exponent)}}}"


def live(equations: Sequence[Equation], values: Mapping[str, float], dark: bool = False) -> str:
    """LaTeX: each equation in symbols, then in numbers, the result in its quantity's colour.

    Args:
        equations: of the cell.
        values: everything the templates name, and each result under its own name.
        dark: which of the two palettes.
    """
    numbers = {name: _Number(value) for name, value in values.items()}
    lines = []
    for equation in equations:
        colour = quantity_colour(equation.name, dark)
        terms = equation.numbers.format(**numbers)
        terms = re.sub(r"(\\left\(|, )\((-[^()]+)\)", r"\1\2", terms)  # σ(-0.1 + …), not σ((-0.1) + …)
        result = rf"\textcolor{{{colour}}}{{\mathbf{{{plain(values[equation.name])}}}}}"
        left, right = equation.latex.split("=", 1)
        lines.append(
            rf"\textcolor{{{colour}}}{{{left}}} &= {_coloured(right, dark)} \\ &= {terms} = {result}"
        )
    return r"\begin{aligned}" + r" \\[0.45em] ".join(lines) + r"\end{aligned}"


def _coloured(latex: str, dark: bool) -> str:
    """Every quantity with a time index in its own colour."""
    names = "".join(name for name in QUANTITY if len(name) == 1)
    pattern = rf"(?<![A-Za-z_\\])([{names}])_(t|\{{t-1\}})(?![A-Za-z])"
    return re.sub(pattern, lambda m: rf"\textcolor{{{quantity_colour(m[1], dark)}}}{{{m[0]}}}", latex)
