"""What a cell can be given: against NumPy and the data's own source, and the printed code against both."""

import csv
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.signals import MAX_STEPS, SUNSPOTS, signal, standardised, sunspot_numbers
from tests.engine.oracle import quick

EVERY = {
    "text": {"text": "the clouds are in the sky"},
    "numbers": {"numbers": (548.0, 643.5, -920.0, 1e-3, 1406.25)},
    "sunspots": {},
    "impulse": {},
    "step": {},
    "sine": {"period": 7.5},
    "noise": {"seed": 5},
}


def series_of(made):
    x = made.x
    assert x.dtype == torch.float64
    assert x.shape[1:] == (1, 1)
    return x[:, 0, 0].numpy()


def by_hand(series):
    series = np.asarray(series, dtype=np.longdouble)
    return ((series - series.mean()) / series.std()).astype(float)


@pytest.mark.parametrize("steps", [2, 3, 7, 25, MAX_STEPS])
def test_textbook_signals_are_what_their_names_say(steps):
    t = np.arange(steps)
    np.testing.assert_array_equal(series_of(signal("impulse", steps)), t == 0)
    np.testing.assert_array_equal(series_of(signal("step", steps)), t >= steps // 4)
    for period in (2.0, 7.5, 25.0):
        want = np.sin(2 * np.pi * t / period)
        np.testing.assert_allclose(series_of(signal("sine", steps, period=period)), want, atol=1e-12)


def test_a_sine_repeats_after_its_period():
    x = series_of(signal("sine", 100, period=20.0))
    np.testing.assert_allclose(x[20:], x[:-20], atol=1e-12)
    assert x[5] == 1.0
    assert np.abs(x[10:] + x[:-10]).max() < 1e-12


def test_noise_is_standard_normal_and_its_seed_is_its_own():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    draws = [series_of(signal("noise", MAX_STEPS, seed=seed)) for seed in range(50)]
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(draws[3], series_of(signal("noise", MAX_STEPS, seed=3)))
    want = torch.randn(MAX_STEPS, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    np.testing.assert_array_equal(draws[3], want[:, 0].numpy())
    every = np.concatenate(draws)
    # 20,000 draws: five standard errors of the mean, the variance and the fourth moment
    assert abs(every.mean()) < 5 / math.sqrt(every.size)
    assert abs(every.var() - 1) < 5 * math.sqrt(2 / every.size)
    assert abs((every**4).mean() - 3) < 5 * math.sqrt(96 / every.size)


@given(text=st.text(min_size=2, max_size=30))
@quick
def test_text_is_one_hot_over_its_own_alphabet(text):
    made = signal("text", MAX_STEPS, text=text)
    alphabet = sorted(set(text))
    want = np.array([[float(letter == character) for letter in alphabet] for character in text])
    assert made.x.dtype == torch.float64
    np.testing.assert_array_equal(made.x[:, 0].numpy(), want)
    assert made.symbols == tuple(text)


def test_a_long_text_and_its_alphabet_end_at_the_last_step():
    made = signal("text", 3, text="abcde")
    np.testing.assert_array_equal(made.x[:, 0].numpy(), np.eye(3))
    assert made.symbols == ("a", "b", "c")
    assert "“abc”" in made.caption
    assert "3 characters" in made.caption


def test_sunspots_are_the_yearly_means_of_the_source():
    numbers = sunspot_numbers()
    with SUNSPOTS.open(encoding="utf-8") as file:
        years = [int(row["year"]) for row in csv.DictReader(file)]
    assert years == list(range(1700, 2009))
    assert len(numbers) == 309
    known = {1700: 5.0, 1701: 11.0, 1957: 190.2, 2008: 2.9}  # NGDC, as in statsmodels.datasets.sunspots
    assert {year: numbers[year - 1700] for year in known} == known
    assert max(numbers) == known[1957]
    assert min(numbers) >= 0


def test_sunspots_and_numbers_are_standardised_over_the_steps_shown():
    for steps in (2, 50, 309, 400):
        made = signal("sunspots", steps)
        np.testing.assert_allclose(series_of(made), by_hand(sunspot_numbers()[:steps]), atol=1e-12)
        assert f"1700–{1699 + min(steps, 309)}" in made.caption
        assert not made.symbols
    numbers = (3.0, -1.0, 4.0, 1.0, -5.0)
    for steps in (2, 4, 5, 6):
        made = signal("numbers", steps, numbers=numbers)
        np.testing.assert_allclose(series_of(made), by_hand(numbers[:steps]), atol=1e-12)
        assert f"{min(steps, 5)} numbers" in made.caption


SHAPE = np.array([3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0, 6.0])


@pytest.mark.parametrize("scale", [1.0, -1.0, 1e-3, 1e6, 1e150, 1e300, 1.9e307, 1e-150, 1e-300, 1e-307])
def test_standardising_forgets_the_scale(scale):
    x = standardised((SHAPE * scale).tolist())[:, 0].numpy()
    np.testing.assert_allclose(x, by_hand(SHAPE * np.sign(scale)), atol=1e-12)
    assert abs(x.mean()) < 1e-14
    assert abs(x.var() - 1) < 1e-14


def test_even_the_smallest_floats_have_a_shape():
    smallest = math.ulp(0.0)
    np.testing.assert_allclose(standardised([smallest, 3 * smallest])[:, 0].numpy(), [-1, 1], rtol=1e-15)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, 0.1, -7.3, 1e300, 1.7e308, 1e-310])
@pytest.mark.parametrize("length", [2, 3, 10, 399])
def test_a_constant_series_becomes_zeros(value, length):
    assert torch.equal(standardised([value] * length), torch.zeros(length, 1, dtype=torch.float64))


def test_an_offset_does_not_matter():
    x = standardised((SHAPE + 1e6).tolist())[:, 0].numpy()
    np.testing.assert_allclose(x, by_hand(SHAPE), atol=1e-8)


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20))
@quick
def test_any_series_ends_up_finite_and_in_order(values):
    x = signal("numbers", MAX_STEPS, numbers=tuple(values)).x[:, 0, 0].numpy()
    assert np.isfinite(x).all()
    assert (np.diff(x[np.argsort(values, kind="stable")]) >= 0).all()
    assert x.any() == (abs(x.var() - 1) < 1e-9)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("steps", [2, 5, 40])
def test_the_printed_code_gives_the_same_bits(kind, steps):
    made = signal(kind, steps, **EVERY[kind])
    names = {"math": math, "torch": torch, "Tensor": torch.Tensor}
    exec(made.code, names)
    assert torch.equal(names["x"], made.x)
    assert names["x"].dtype == made.x.dtype
    assert len(made.x) == min(steps, len(EVERY[kind].get("text") or EVERY[kind].get("numbers") or "x" * 999))


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("noise", {"steps": 1}, ["length", "1", f"2 to {MAX_STEPS}"]),
        ("noise", {"steps": 0}, ["length", "0"]),
        ("noise", {"steps": -3}, ["length", "-3"]),
        ("noise", {"steps": MAX_STEPS + 1}, ["length", str(MAX_STEPS + 1), f"2 to {MAX_STEPS}"]),
        ("text", {"text": ""}, ["text", "0 characters"]),
        ("text", {"text": "a"}, ["text", "1 characters"]),
        ("numbers", {"numbers": ()}, ["series", "0 numbers"]),
        ("numbers", {"numbers": (1.0,)}, ["series", "1 numbers"]),
        ("numbers", {"numbers": (1.0, math.nan)}, ["series", "finite"]),
        ("numbers", {"numbers": (1.0, math.inf)}, ["series", "finite"]),
        ("sine", {"period": 0.0}, ["period", "0", "2"]),
        ("sine", {"period": -5.0}, ["period", "-5"]),
        ("sine", {"period": 1.5}, ["period", "1.5"]),
        ("sine", {"period": math.nan}, ["period", "nan"]),
        ("sine", {"period": math.inf}, ["period", "inf"]),
        ("square", {}, ["'square'", *EVERY]),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(kind, arguments, words):
    with pytest.raises(ValueError, match="allowed") as caught:
        signal(kind, **{"steps": 10, **arguments})
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for word in words:
        assert word in message
