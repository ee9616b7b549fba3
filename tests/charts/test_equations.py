"""The equations' numbers are the run's own, and add up; the LaTeX is well formed."""

import math
import re

import numpy as np
import pytest

from rnnviz.charts import equations, theme
from rnnviz.experiment import Input, Model
from rnnviz.ui import cached
from tests.engine.oracle import VARIANTS, name_of

NUMBER = re.compile(r"-?\d+\.\d+(?:\\cdot 10\^\{\d+\})?")


def live(spec, values, dark=False):
    """LaTeX lines: symbols, numbers, symbols, numbers, …"""
    latex = equations.live(spec.equations, values, dark)
    head, tail = r"\begin{aligned}", r"\end{aligned}"
    assert latex.startswith(head)
    assert latex.endswith(tail)
    lines = re.split(r" \\\\(?:\[0\.45em\])? ", latex[len(head) : -len(tail)])
    assert len(lines) == 2 * len(spec.equations)
    return lines


def assert_well_formed(latex):
    depth = 0
    for brace in re.findall(r"[{}]", latex):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    open_brackets = 0
    for word in re.findall(r"\\left\(|\\right\)", latex):
        open_brackets += 1 if word == r"\left(" else -1
        assert open_brackets >= 0
    assert open_brackets == 0
    plain = latex.replace(r"\left(", "").replace(r"\right)", "")
    assert plain.count("(") == plain.count(")")


def value_of(numbers):
    """What the printed right-hand side amounts to."""
    python = re.sub(r"(\d+\.\d+)\\cdot 10\^\{(\d+)\}", r"\1e\2", numbers)
    for latex, name in (
        (r"\sigma", "sigma"),
        (r"\tanh", "tanh"),
        (r"\max", "max"),
        (r"\left", ""),
        (r"\right", ""),
        (r"\cdot", "*"),
    ):
        python = python.replace(latex, name)
    sigma = lambda a: 1 / (1 + math.exp(-a))
    return eval(python, {"__builtins__": {}}, {"sigma": sigma, "tanh": math.tanh, "max": max})


def numbers_of(line):
    match = re.fullmatch(r"&= (.*) = \\textcolor\{#[0-9a-fA-F]{6}\}\{\\mathbf\{(.*)\}\}", line)
    assert match, line
    return match.groups()


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@pytest.mark.parametrize("dark", [False, True])
def test_numbers_are_those_recorded_and_both_sides_agree(spec, dark):
    model, source = Model(spec.name, spec.options, 4, 2, "scaled", (("radius", 1.5),), 1.0), Input("noise", 6)
    rows = {row.name: row.values for row in cached.strips_of(model, source)}
    colours = theme.palette(dark)["category"]
    for t in (1, 2, 6):
        for unit in (1, 4):
            values = cached.live_values(model, source, t, unit)
            lines = live(spec, values, dark)
            for k, equation in enumerate(spec.equations):
                symbols, numbers = lines[2 * k : 2 * k + 2]
                assert_well_formed(symbols)
                assert_well_formed(numbers)
                colour = colours[theme.QUANTITY[equation.name]]
                assert symbols.startswith(rf"\textcolor{{{colour}}}{{{equation.name}_t")
                terms, result = numbers_of(numbers)
                recorded = rows[equation.name][t - 1, unit - 1]
                assert float(result) == pytest.approx(recorded, abs=0.00051)
                assert result == f"{recorded + 0.0:.3f}".replace("-0.000", "0.000")
                assert len(NUMBER.findall(terms)) == len(re.findall(r"\{\w+:?\+?\}", equation.numbers))
                # Each number is off by half a unit of its third decimal, and a product's factor is below 3.
                assert value_of(terms) == pytest.approx(recorded, abs=0.01)
                if t > 1 and "h_prev" in equation.numbers:
                    assert f"{abs(rows['h'][t - 2, unit - 1]):.3f}" in terms


SIGNS = {
    "a": r"{a}\cdot{b}",
    "b": r"\left({a} {b:+}\right)",
    "c": r"\max\left(0, {a} {b:+}\right)",
    "d": r"{a} {b:+}\cdot{a}",
}


@pytest.mark.parametrize(
    ("a", "b", "want"),
    [
        (
            0.5,
            0.25,
            [r"0.500\cdot0.250", r"\left(0.500 + 0.250\right)", r"\max\left(0, 0.500 + 0.250\right)"],
        ),
        (
            -0.5,
            -0.25,
            [
                r"(-0.500)\cdot(-0.250)",
                r"\left(-0.500 - 0.250\right)",
                r"\max\left(0, -0.500 - 0.250\right)",
            ],
        ),
        (-0.0001, 0.0, [r"0.000\cdot0.000", r"\left(0.000 + 0.000\right)"]),
        (
            -12345.0,
            4.5e20,
            [
                r"(-1.23\cdot 10^{4})\cdot4.50\cdot 10^{20}",
                r"\left(-1.23\cdot 10^{4} + 4.50\cdot 10^{20}\right)",
                r"\max\left(0, -1.23\cdot 10^{4} + 4.50\cdot 10^{20}\right)",
            ],
        ),
        (-math.inf, math.nan, [r"(-\infty)\cdot\text{not a number}"]),
    ],
)
def test_signs_are_operators_in_sums_and_stand_in_brackets_in_products(a, b, want):
    from rnnviz.engine import Equation

    made = [Equation(name, rf"{name}_t = 0", numbers) for name, numbers in SIGNS.items()]
    latex = equations.live(made, {"a": a, "b": b, "c": 1.0, "d": 1.0})
    assert_well_formed(latex)
    for line in want:
        assert f"&= {line} = " in latex
    assert "+ -" not in latex
    assert "- -" not in latex
    assert r"\cdot-" not in latex
    assert "((" not in latex
    assert "e+" not in latex


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (-0.0004, "0.000"),
        (0.0005001, "0.001"),
        (-1.5, "-1.500"),
        (999.9994, "999.999"),
        (1000.0, r"1.00\cdot 10^{3}"),
        (-98765.0, r"-9.88\cdot 10^{4}"),
        (9.999e9, r"1.00\cdot 10^{10}"),
        (1e190, r"1.00\cdot 10^{190}"),
    ],
)
def test_plain_numbers(value, text):
    assert equations.plain(value) == text


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_every_quantity_with_a_time_is_in_its_colour(spec):
    values = cached.live_values(Model(spec.name, spec.options, 2), Input("noise", 3), 2, 1)
    colours = theme.palette()["category"]
    quantities = {*spec.gate_names, *spec.state_names, "x"}
    for symbols in live(spec, values)[::2]:
        bare = re.sub(r"\\textcolor\{(#\w{6})\}\{([a-z])_(t|\{t-1\})\s*\}", "", symbols)
        for colour, name in re.findall(r"\\textcolor\{(#\w{6})\}\{([a-z])_", symbols):
            assert colour == colours[theme.QUANTITY[name]]
            assert name in quantities
        assert not re.search(r"_(t|\{t-1\})", bare), bare


def test_a_large_run_is_printed_without_losing_the_sum():
    model = Model("rnn", (("activation", "identity"),), 6, 4, "scaled", (("radius", 3.0),))
    source = Input("noise", 60)
    values = cached.live_values(model, source, 60, 1)
    assert abs(values["h"]) > 1e6
    terms, result = numbers_of(live(model.spec, values)[1])
    assert np.sign(value_of(terms)) == np.sign(values["h"])
    assert value_of(result) == pytest.approx(values["h"], rel=0.006)
