"""The axis that never drops a point: against decimal arithmetic, far beyond what a float holds."""

import itertools
import json
import math
import re
from decimal import Decimal, localcontext

import altair as alt
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rnnviz.charts import log_axis
from tests.engine.oracle import quick

powers = st.floats(-1e4, 1e4)


def exactly(power):
    """10^power to 40 digits."""
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 40, -(10**6), 10**6
        return Decimal(10) ** Decimal(power)


@given(power=powers)
@example(power=0.0)
@example(power=-1e-17)
@example(power=2.9999)
@example(power=5.9999)
@example(power=-3.0001)
@example(power=-38.0)
@example(power=-38.0000001)
@example(power=38.0)
@example(power=38.0000001)
@example(power=-323.5)
@example(power=400.25)
@quick
def test_a_number_is_what_decimal_arithmetic_says(power):
    text = log_axis.number(power)
    sign, figures = re.fullmatch(r"(?:([<>]) 1e-?38 \()?([^()]+)\)?", text).groups()
    assert sign == ("<" if power < -38 else ">" if power > 38 else None)
    if sign:
        assert text.startswith("< 1e-38 (" if sign == "<" else "> 1e38 (")
    mantissa, _, exponent = figures.partition("e")
    if exponent:
        assert re.fullmatch(r"[1-9]\.\d\d", mantissa), "three digits, one of them before the point"
        assert re.fullmatch(r"-?[1-9]\d*", exponent)
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 40, -(10**6), 10**6
        assert abs(Decimal(figures) / exactly(power) - 1) < Decimal("0.00501")


@pytest.mark.parametrize(
    ("power", "text"),
    [
        (-math.inf, "exactly 0"),
        (math.inf, "> 1e38 (∞)"),
        (math.nan, "not a number"),
        (0.0, "1"),
        (1.0, "10"),
        (-2.0, "0.01"),
        (math.log10(0.25), "0.25"),
        (-7.0, "1.00e-7"),
        (-100.0, "< 1e-38 (1.00e-100)"),
        (5.99999, "1.00e6"),
    ],
)
def test_numbers_are_spelled_out(power, text):
    assert log_axis.number(power) == text


def test_clamp_keeps_every_value_marks_what_is_beyond_and_says_what_it_is():
    logs = np.array([-np.inf, -300.0, -38.5, -38.0, -1.0, 0.0, 38.0, 38.5, 500.0, np.inf, np.nan])
    places, beyond, labels = log_axis.clamp(logs)
    np.testing.assert_array_equal(places, [-38, -38, -38, -38, -1, 0, 38, 38, 38, 38, np.nan])
    assert beyond.tolist() == ["below"] * 3 + [""] * 4 + ["above"] * 3 + [""]
    assert labels[0] == "exactly 0"
    assert labels[1] == "< 1e-38 (1.00e-300)"
    assert labels[3] == "1.00e-38"
    assert labels[9] == "> 1e38 (∞)"
    assert labels[10] == "not a number"
    assert np.isneginf(logs[0]), "the input is left alone"


def test_the_ends_of_the_axis_are_those_of_float32():
    tiny, largest = np.finfo(np.float32).tiny, np.finfo(np.float32).max
    assert math.floor(math.log10(tiny)) == log_axis.FLOOR
    assert math.floor(math.log10(largest)) == log_axis.CEILING


@given(low=st.floats(-38, 38), width=st.floats(0, 76))
@example(low=-38.0, width=76.0)
@example(low=1e-17, width=0.2)
@example(low=-2.0, width=2.2)
@quick
def test_ticks_lie_inside_in_order_and_are_not_too_many(low, width):
    high = min(low + width, 38.0)
    ticks = list(log_axis.ticks(low, high))
    assert len(ticks) <= 9
    assert all(low - 1e-8 <= v <= high + 1e-8 for v in ticks)
    assert all(a < b for a, b in itertools.pairwise(ticks))
    if high - low >= log_axis.DECIMALS_UP_TO:
        assert len(ticks) >= 2
        assert all(v == round(v) for v in ticks)
        assert len({round(b - a) for a, b in itertools.pairwise(ticks)}) == 1
    else:
        assert all(round(10**v / 10 ** math.floor(v + 1e-6), 6) in (1, 1.5, 2, 3, 5, 7) for v in ticks)
        if high - low > 0.23:  # 3 and 5 are the farthest apart: 0.222
            assert ticks
        if low <= 0 <= high:
            assert 0.0 in ticks


def test_a_norm_of_one_has_its_tick_though_rounding_misses_it():
    assert log_axis.ticks(1e-16, 0.1) == {0.0: "1"}
    assert log_axis.ticks(-0.1, -1e-16) == {0.0: "1"}


def test_tick_labels_read_as_powers_of_ten_or_as_decimals():
    for low, high, labels in (
        (-12, 1, ["10⁻¹²", "10⁻¹⁰", "10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]),
        (0, 38, ["10⁰", "10⁵", "10¹⁰", "10¹⁵", "10²⁰", "10²⁵", "10³⁰", "10³⁵"]),
        (-1, 0.8, ["0.1", "0.2", "0.5", "1", "2", "5"]),
        (0, 0, ["1"]),
    ):
        assert list(log_axis.ticks(low, high).values()) == labels


@given(
    places=st.lists(st.floats(-38, 38).map(lambda v: round(v, 2)), min_size=1, max_size=8),
    gap=st.floats(0.01, 10),
)
@example(places=[0.0] * 6, gap=1.0)
@example(places=[0.0, 0.1, 0.2, 5.0, 5.0, 5.05], gap=1.0)
@quick
def test_labels_keep_their_order_and_their_distance_and_move_no_more_than_needed(places, gap):
    before = np.array(places)
    moved = log_axis.spread(before, gap)
    np.testing.assert_array_equal(before, places)
    order = np.argsort(before, kind="stable")
    assert (np.diff(moved[order]) >= gap - 1e-9).all()
    if (np.diff(before[order]) >= gap).all():
        np.testing.assert_allclose(moved, before, atol=1e-12)
    # The least sum of squares under the constraints, by its optimality conditions: each gap pushes with a
    # force that is not negative, and only where it is tight.
    force = np.cumsum(2 * (moved - before)[order])[:-1]
    scale = 1e-7 * (1 + np.abs(before).max() + gap)
    assert abs((moved - before).sum()) < scale
    assert (force <= scale).all()
    assert np.abs(force[np.diff(moved[order]) > gap + 1e-9]).max(initial=0) < scale


def test_a_label_of_what_is_not_a_number_stays_out_of_the_others_way():
    moved = log_axis.spread(np.array([0.0, np.nan, 0.0]), 1.0)
    np.testing.assert_allclose(moved[[0, 2]], [-0.5, 0.5])
    assert np.isnan(moved[1])


def test_edge_layers_are_valid_and_drawn_only_where_something_is_beyond():
    x, y, color = alt.X("back:Q"), alt.Y("place:Q"), alt.Color("cell:N")
    layers = [layer.to_dict(validate=True) for layer in log_axis.edge_layers(x, y, color)]
    tests = json.dumps([layer["transform"] for layer in layers])
    assert "below" in tests
    assert "above" in tests
    shape = layers[-1]["encoding"]["shape"]["scale"]
    assert dict(zip(shape["domain"], shape["range"], strict=True)) == {
        "below": "triangle-down",
        "above": "triangle-up",
    }
