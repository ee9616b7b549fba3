"""The pictures of “Spectrum”: what NumPy, mpmath and closed forms say of the matrices is drawn."""

import json
import math
import re
from functools import partial

import mpmath
import numpy as np
import pytest
import torch

from rnnviz import export
from rnnviz.charts.eigenvalues import LARGE_H, Matrix, eigenvalues, limit
from rnnviz.charts.exponents import Exponents, exponents, signed
from rnnviz.charts.singular_values import Spectra, singular_values
from rnnviz.engine import CELLS, init_params
from rnnviz.experiment import Input, Model
from rnnviz.ui import flow_spectrum_cached
from tests.charts.test_gradient_flow import assert_drawable, rows

NOISE = Input("noise", 40, seed=2)
TANH = (("activation", "tanh"),)


def matrix_of(W, cell="rnn", block=""):
    values = np.linalg.eigvals(W)
    order = np.argsort(-np.abs(values), kind="stable")
    return Matrix(cell, "RNN", block, values[order].astype(complex), np.linalg.svd(W, compute_uv=False))


def unordered(values):
    return sorted(np.round(values, 9).tolist(), key=lambda v: (v.real, v.imag))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("radius", [0.0, 0.8, 2.5])
def test_a_block_has_the_spectrum_that_numpy_finds(name, radius):
    model = Model(name, (), 7, 3, "scaled", (("radius", radius),), 1.0)
    W = model.params(1)["W_hh"].numpy()
    for k, block in enumerate(model.spec.blocks):
        found = flow_spectrum_cached.matrix(model, NOISE, k)
        own = W[k * 7 : (k + 1) * 7]
        np.testing.assert_allclose(unordered(found.eigenvalues), unordered(np.linalg.eigvals(own)), atol=1e-8)
        np.testing.assert_allclose(found.singular_values, np.linalg.svd(own, compute_uv=False), rtol=1e-12)
        assert found.radius == pytest.approx(radius, abs=1e-12)
        assert found.norm == pytest.approx(np.linalg.norm(own, 2), rel=1e-12)
        assert found.title.endswith(f", block {block}" if len(model.spec.blocks) > 1 else "RNN")
        figure = eigenvalues(found, "seed 3")
        if k == 0:
            assert_drawable(figure)
        assert f"σ_max = {np.linalg.norm(own, 2):.4g}" in figure.caption
        assert len(rows(figure, "eigenvalue")) == len(rows(figure, "value")) == 7
        assert len(rows(figure, "radius")) == (radius > 0)
        np.testing.assert_allclose(figure.table["modulus"], np.abs(found.eigenvalues))
        assert (np.diff(figure.table["modulus"]) <= 1e-15).all()


def test_what_large_matrices_tend_to_is_what_they_tend_to():
    for H, close in ((100, 0.12), (1000, 0.03)):
        W = init_params(CELLS["rnn"], 1, H, seed=0)["W_hh"].numpy()
        assert np.abs(np.linalg.eigvals(W)).max() == pytest.approx(LARGE_H["ρ"], rel=close)
        assert np.linalg.norm(W, 2) == pytest.approx(LARGE_H["σ_max"], rel=close)
    assert (round(LARGE_H["ρ"], 3), round(LARGE_H["σ_max"], 3)) == (0.577, 1.155)


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1080), (2400, 900)])
def test_the_planes_unit_is_as_long_upward_as_to_the_right(size):
    W = np.diag([0.5, 0.5, 0.9, -0.9])
    W[:2, :2] = [[0.0, -0.9], [0.9, 0.0]]
    svg = export.chart_svg(eigenvalues(matrix_of(W), "seed 3").standalone(), size).decode()
    groups = re.findall(r'<g class="mark-symbol[^"]*"[^>]*>(.*?)</g>', svg, re.DOTALL)
    places = [re.findall(r"translate\(([-\d.]+),([-\d.]+)\)", group) for group in groups]
    points = np.array(next(p for p in places if len(p) == 4 and len({y for _, y in p}) == 3), dtype=float)
    width, height = np.ptp(points, axis=0)
    assert width == pytest.approx(height, rel=1e-3)
    assert width > 100
    rings = [re.search(r"translate\(([-\d.]+),([-\d.]+)\)", group) for group in groups]
    centre = points.mean(0)
    assert any(ring and np.allclose([float(v) for v in ring.groups()], centre, atol=0.01) for ring in rings)


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1.0, 47.0, 1e6])
@pytest.mark.parametrize("H", [1, 2])
def test_any_size_fits_into_the_picture(H, scale):
    figure = eigenvalues(matrix_of(scale * np.eye(H)), "seed 3")
    assert_drawable(figure)
    for row in rows(figure, "eigenvalue", "value", "one"):
        assert -1 <= (row["x"] or 0) <= 1
        assert -1 <= row["y"] <= 1
    assert len({row["label"] for row in rows(figure, "tick")}) == len(rows(figure, "tick"))
    assert figure.spec == eigenvalues(matrix_of(np.eye(3)), "").spec


def test_the_limits_hold_what_is_shown_and_are_few():
    values = np.geomspace(1e-3, 1e4, 500)
    limits = [limit(v) for v in values]
    assert all(end >= max(v, 1.25) for v, end in zip(values, limits, strict=True))
    assert all(end <= max(2 * v, 1.25) for v, end in zip(values, limits, strict=True))
    assert len(set(limits)) < 50


def exact_logs(model, source, lags):
    """ln σ_k of the products of diag(1 - h²) W, in eighty digits, from the states that the run has."""
    with torch.no_grad():
        x, p = source.signal().x[:, 0], model.params(1)
        h, states = torch.zeros(model.hidden_size, dtype=torch.float64), []
        for x_t in x:
            h = torch.tanh(p["W_ih"] @ x_t + p["W_hh"] @ h + p["b_ih"] + p["b_hh"])
            states.append(h)
    found = []
    with mpmath.workdps(80):
        W, product = mpmath.matrix(p["W_hh"].tolist()), mpmath.eye(model.hidden_size)
        for lag in range(len(x) + 1):
            if lag:
                slope = [1 - mpmath.mpf(v) ** 2 for v in states[-lag].tolist()]
                product = product * (mpmath.diag(slope) * W)
            if lag in lags:
                values = mpmath.svd_r(product, compute_uv=False)
                found.append([float(mpmath.log(v)) for v in values])
    return np.array(found)


@pytest.mark.parametrize("radius", [0.4, 1.0, 2.0])
def test_what_stands_above_the_floor_is_known_and_what_is_below_is_not_drawn(radius):
    model = Model("rnn", TANH, 5, 3, "scaled", (("radius", radius),))
    found = flow_spectrum_cached.spectra(model, NOISE)
    exact = exact_logs(model, NOISE, set(found.lags.tolist()))
    assert found.lags.tolist() == list(range(41))
    known = found.known
    assert known[:, 0].all()
    assert 60 < known.sum() < known.size
    # A value at the floor is known to within a half of itself, and one above it the better for that.
    allowed = np.exp(np.log(0.5) + found.floor[:, None] - exact) + 1e-10
    wrong = np.abs(np.expm1(found.logs - exact))
    assert (wrong[known] < allowed[known]).all()
    np.testing.assert_allclose(found.logs[:, 0], exact[:, 0], atol=1e-10)
    assert (exact[~known] < found.floor.repeat(5).reshape(known.shape)[~known] + np.log(1.5)).all()

    figure = singular_values(found, "seed 3")
    assert_drawable(figure)
    drawn = {(row["k"], row["back"]): row["place"] for row in rows(figure, "line")}
    for n, lag in enumerate(found.lags.tolist()):
        for k in range(5):
            if known[: n + 1, k].all():
                assert drawn[k + 1, lag] == pytest.approx(exact[n, k] / math.log(10), abs=1.4)
            elif not known[max(n - 1, 0), k]:
                assert (k + 1, lag) not in drawn
    for row in rows(figure, "sunk"):
        n = found.lags.tolist().index(row["back"])
        assert not known[n, row["k"] - 1]
        assert known[:n, row["k"] - 1].all()
        assert row["place"] == pytest.approx(found.floor[n] / math.log(10))
    assert f"{known[-1].sum()} of 5 above" in figure.caption
    np.testing.assert_array_equal(figure.table["above_floor"], known.ravel())
    assert np.isnan(figure.table["log10_singular_value"][~known.ravel()]).all()


@pytest.mark.parametrize(
    "logs",
    [
        [[0.0, 0.0], [-np.inf, -np.inf]],
        [[0.0, 0.0], [np.nan, np.nan]],
        [[0.0, 0.0], [-200.0, -205.0], [-900.0, -905.0]],
        [[0.0, 0.0], [200.0, 190.0]],
        [[0.0]],
    ],
)
def test_the_largest_is_drawn_whatever_it_is(logs):
    logs = np.array(logs)
    figure = singular_values(Spectra("gru", "GRU", np.arange(len(logs)), logs, logs.shape[1]), "seed 3")
    assert_drawable(figure)
    first = [row for row in rows(figure, "line") if row["k"] == 1]
    assert [row["back"] for row in first if row["label"]] == list(range(len(logs)))
    last, said = logs[-1, 0] / math.log(10), first[-1]["label"]
    if np.isnan(last):
        assert said.endswith("not a number")
        assert first[-1]["place"] is None
    elif last < -38:
        assert said.endswith("exactly 0") or "< 1e-38" in said
        assert (first[-1]["place"], first[-1]["beyond"]) == (-38, "below")
    elif last > 38:
        assert (first[-1]["place"], first[-1]["beyond"]) == (38, "above")
    assert {row["label"] for row in rows(figure, "edge")} <= {"< 1e-38", "> 1e38"}


def test_exponents_of_a_linear_network_are_its_matrixs_own():
    # h_t = g·Q h_{t-1}: every direction by g a step, whatever the input is.
    identity = (("activation", "identity"),)
    for gain in (0.5, 1.0, 1.5):
        model = Model("rnn", identity, 6, 3, "orthogonal", (("gain", gain),))
        found = flow_spectrum_cached.exponents(model, NOISE)
        np.testing.assert_allclose(found.values, math.log(gain), atol=1e-12)
        assert found.dimension == (0.0 if gain < 1 else 6.0) or gain == 1.0


def stepped(spec, params, ax, h):
    return spec.step(ax, {"h": h}, params)[0]["h"]


def test_exponents_add_up_to_the_determinant():
    for name, H in (("rnn", 6), ("gru", 4)):
        model = Model(name, (), H, 3, "scaled", (("radius", 1.5),), 1.0)
        found, x = flow_spectrum_cached.exponents(model, NOISE), NOISE.signal().x
        spec, p = model.spec, model.params(1)
        h, total = torch.zeros(1, H, dtype=torch.float64), 0.0
        for ax in spec.project(x, p):
            step = partial(stepped, spec, p, ax)
            total += torch.linalg.slogdet(torch.autograd.functional.jacobian(step, h)[0, :, 0])[1].item()
            h = step(h)
        assert found.values.sum() == pytest.approx(total / len(x), rel=1e-9)
        assert (np.diff(found.values) <= 0).all()


def test_a_direction_that_a_step_loses_is_lost():
    zero = Model("rnn", TANH, 4, 3, "scaled", (("radius", 0.0),))
    assert np.isneginf(flow_spectrum_cached.exponents(zero, NOISE).values).all()
    relu = Model("rnn", (("activation", "relu"),), 8, 3, "scaled", (("radius", 1.0),))
    found = flow_spectrum_cached.exponents(relu, NOISE)
    p, h, fewest = relu.params(1), torch.zeros(8, dtype=torch.float64), 8
    for x_t in NOISE.signal().x[:, 0]:
        h = torch.relu(p["W_ih"] @ x_t + p["W_hh"] @ h + p["b_ih"] + p["b_hh"])
        fewest = min(fewest, int((h > 0).sum()))
    assert 0 < fewest < 8
    assert np.isneginf(found.values[fewest:]).all()
    assert np.isfinite(found.values[:fewest]).all()
    figure = exponents([found], "seed 3")
    assert_drawable(figure)
    (lane,) = rows(figure, "lane")
    assert "−∞" in lane["label"]
    places = [row["place"] for row in rows(figure, "dot")]
    assert places[fewest:] == [lane["place"]] * (8 - fewest)
    assert lane["place"] < min(places[:fewest])


def one(*values, size=None):
    return Exponents("rnn", "RNN", np.array(values), size or len(values))


@pytest.mark.parametrize(
    ("found", "dimension", "words"),
    [
        (one(-0.25, -1.0), 0.0, "λ₁ = −0.25 a step: small changes vanish, by a factor e every 4 steps"),
        (one(0.5, -0.25, -0.5), 2.5, "doubling every 1.39 steps"),
        (one(0.1, 0.1), 2.0, "chaos"),
        (one(0.1, 0.1, size=4), None, "chaos"),
        (one(0.3, -np.inf), 1.0, "chaos"),
        (one(-np.inf, -np.inf), 0.0, "λ₁ = −∞: a small change is gone altogether"),
        (one(0.0, -1.0), 1.0, "neither vanish nor grow"),
        (one(np.nan, np.nan), 0.0, "not a number"),
    ],
)
def test_exponents_in_words(found, dimension, words):
    assert found.dimension == (dimension if dimension is None else pytest.approx(dimension))
    assert words in found.meaning
    figure = exponents([found], "seed 3")
    assert_drawable(figure)
    assert found.meaning in figure.description
    assert len(rows(figure, "dot")) == len(found.values)
    np.testing.assert_array_equal(figure.table["exponent"], found.values)


def test_three_cells_are_named_apart():
    cells = [Exponents(name, spec.title, np.array([-0.1, -0.2]), 2) for name, spec in CELLS.items()]
    figure = exponents(cells, "seed 3")
    ends = {row["label"]: row["place"] for row in rows(figure, "end")}
    assert set(ends) == {spec.title for spec in CELLS.values()}
    assert min(np.diff(sorted(ends.values()))) > 0.01
    json.dumps(figure.standalone(), allow_nan=False)
    assert signed(-1.5) == "−1.5"
