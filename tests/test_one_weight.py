"""One weight: every position against closed forms, autograd and mpmath; its script and its figure."""

import csv
import io
import json
import subprocess
import sys
from functools import cache
from itertools import product

import mpmath
import numpy as np
import pytest
import torch

from rnnviz.charts.one_weight import one_weight, tables, words
from rnnviz.charts.one_weight_positions import LONGEST, PHIS, SIZES, TAUS, WEIGHTS, Position, Positions
from rnnviz.one_weight import SHAPES, OneWeight, positions
from rnnviz.one_weight_script import one_weight_script

CONFIGS = [
    OneWeight(shape, y, seed) for shape, y, seed in zip(SHAPES, (-1.0, 1.0, 0.25, 5.0), range(4), strict=True)
]
each = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.shape)
ACTIVATION = {"identity": lambda a: a, "tanh": torch.tanh}


@cache
def found(config: OneWeight) -> Positions:
    return positions(config)


def shape_of(config: OneWeight) -> np.ndarray:
    """The input of size 1, by NumPy alone but for noise, whose generator is torch's."""
    return {
        "impulse": np.eye(1, LONGEST)[0],
        "constant": np.ones(LONGEST),
        "alternating": (-1.0) ** np.arange(LONGEST),
        "noise": torch.randn(
            LONGEST, generator=torch.Generator().manual_seed(config.seed), dtype=torch.float64
        ).numpy(),
    }[config.shape]


def test_the_stops_are_the_floats_that_their_decimals_stand_for() -> None:
    assert [f"{w:.2f}" for w in WEIGHTS] == [f"{k / 100:.2f}" for k in range(-150, 151, 5)]
    assert {-1.0, 0.0, 1.0} < set(WEIGHTS)
    assert all(float(f"{w:g}") == w for w in WEIGHTS)


@each
def test_the_input_is_what_it_says(config: OneWeight) -> None:
    np.testing.assert_array_equal(found(config).x, np.outer(SIZES, shape_of(config)))
    names = {"torch": torch, "T": LONGEST}
    torch.set_default_dtype(torch.float64)
    try:
        exec(config.code, names)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(names["x"].numpy(), shape_of(config))


@each
def test_linear_states_gradients_and_sums_have_their_closed_forms(config: OneWeight) -> None:
    """h_t = Σ w^{t-s} x_s, p_t = (ŷ - y) w^{τ-t}, dL/dw = (ŷ - y) Σ (τ-t) w^{τ-t-1} x_t, everywhere."""
    at, x = found(config), np.outer(SIZES, shape_of(config))
    w = np.array(WEIGHTS)
    t = np.arange(1, LONGEST + 1)
    powers = np.where(t[:, None] >= t, w[:, None, None] ** np.maximum(t[:, None] - t, 0), 0.0)  # (W,t,s)
    h = np.einsum("wts,bs->wbt", powers, x)
    scale = np.einsum("wts,bs->wbt", np.abs(powers), np.abs(x))  # of what is added: terms may cancel
    assert (np.abs(at.h[0, :, :, 1:] - h) <= 1e-14 * scale + 1e-300).all()
    assert (at.h[:, :, :, 0] == 0).all()
    assert (at.slope[0] == 1).all()
    for n, tau in enumerate(TAUS):
        error = at.h[0, :, :, tau] - config.y  # its own test above
        lag = tau - t[:tau]
        p = error[..., None] * w[:, None, None] ** lag
        np.testing.assert_allclose(at.p[0, :, n, :, :tau], p, rtol=1e-13)
        assert (at.p[:, :, n, :, tau:] == 0).all()
        terms = p * np.concatenate([np.zeros((len(w), len(SIZES), 1)), h[..., : tau - 1]], -1)
        size = np.abs(p) * np.concatenate([np.zeros((len(w), len(SIZES), 1)), scale[..., : tau - 1]], -1)
        assert (np.abs(at.terms[0, :, n, :, :tau] - terms) <= 1e-13 * size + 1e-300).all()
        early = lag[:-1]
        by_hand = error * ((early * w[:, None] ** (early - 1))[:, None] * x[:, : tau - 1]).sum(-1)
        allowed = 1e-12 * size.sum(-1) + 1e-300
        assert (np.abs(at.sums[0, :, n, :, 0] - by_hand) <= allowed).all()
        assert (np.abs(at.closed[0, :, n] - by_hand) <= allowed).all()
        assert (np.abs(at.autograd[0, :, n] - by_hand) <= allowed).all()


@each
def test_both_activations_are_what_autograd_finds(config: OneWeight) -> None:
    """Of every position at once: states, ∂L/∂h_t and dL/dw, in a graph that has nothing of the engine."""
    at = found(config)
    x = torch.tensor(np.outer(SIZES, shape_of(config)))
    for f, phi in enumerate(PHIS):
        w = torch.tensor(WEIGHTS, dtype=torch.float64)[:, None, None].repeat(1, len(TAUS), len(SIZES))
        w.requires_grad_()
        states = [torch.zeros_like(w)]
        for x_t in x.unbind(1):
            states.append(ACTIVATION[phi](w * states[-1] + x_t))
        read = torch.stack([states[tau][:, n] for n, tau in enumerate(TAUS)], 1)
        loss = (read - config.y).square() / 2
        dw, *p = torch.autograd.grad(loss.sum(), [w, *states[1:]], materialize_grads=True)
        h = torch.stack(states, -1)[:, 0].detach().numpy()
        np.testing.assert_allclose(at.h[f], h, rtol=1e-12, atol=1e-13 * np.abs(h).max())
        np.testing.assert_allclose(at.p[f], torch.stack(p, -1).numpy(), rtol=1e-10, atol=0)
        size = np.abs(at.terms[f]).sum(-1)
        assert (np.abs(at.sums[f, ..., 0] - dw.numpy()) <= 1e-12 * size).all()
        assert (np.abs(at.autograd[f] - dw.numpy()) <= 1e-12 * size).all()
        np.testing.assert_allclose(at.loss[f], loss.detach().numpy(), rtol=1e-12, atol=1e-13)
    assert np.isnan(at.closed[PHIS.index("tanh")]).all()
    assert not np.isnan(at.closed[PHIS.index("identity")]).any()


@pytest.mark.parametrize("w", [-1.5, -1.0, 0.05, 0.95, 1.5])
def test_tanh_in_fifty_digits(w: float) -> None:
    """The step by hand with mpmath: also where p is some 1e-40 of what it was."""
    config = CONFIGS[1]
    at, s, n = found(config), SIZES.index(2.0), TAUS.index(LONGEST)
    with mpmath.workdps(50):
        h = [mpmath.mpf(0)]
        for _ in range(LONGEST):
            h.append(mpmath.tanh(mpmath.mpf(w) * h[-1] + 2))
        p = [h[-1] - mpmath.mpf(config.y)]
        for t in range(LONGEST, 1, -1):
            p.append(p[-1] * mpmath.mpf(w) * (1 - h[t] ** 2))
        wanted = np.array([float(v) for v in reversed(p)])
    # 1 - h² near saturation loses some digits, step after step
    np.testing.assert_allclose(at.p[1, WEIGHTS.index(w), n, s], wanted, rtol=1e-10, atol=0)
    assert (wanted != 0).all()


def test_what_the_words_say_is_so() -> None:
    at = found(OneWeight("constant", 0.3))  # no ŷ is that
    grown = np.abs(at.p[..., 0]), np.abs(at.p[..., 1])  # of every τ
    for f, phi in enumerate(PHIS):
        for i, w in enumerate(WEIGHTS):
            said = words(phi, w)
            first, second = grown[0][f, i, 1:], grown[1][f, i, 1:]
            if w == 0:
                assert "nothing goes back" in said
                assert (first == 0).all()
            elif phi == "tanh":
                assert (np.abs(at.h[f, i]) < 1).all()
                assert "vanish" in said if abs(w) <= 1 else "shrinks" in said
            else:
                assert ("vanish." in said) == (first < second).all()
                assert ("explode." in said) == (first > second).all()
                assert ("turns its sign" in said) == bool(
                    (at.p[f, i, 1:, :, 0] * at.p[f, i, 1:, :, 1] < 0).all()
                )


@each
def test_the_browser_gets_every_position(config: OneWeight) -> None:
    at, packed = found(config), tables(found(config), config.words)
    rows, runs = packed
    assert len(rows["run"]) == at.autograd.size
    assert len(runs["run"]) == len(PHIS) * len(WEIGHTS) * len(SIZES)
    for k in range(0, at.autograd.size, 97):
        f, i, n, s = np.unravel_index(k, at.autograd.shape)
        tau, run = TAUS[n], (f * len(WEIGHTS) + i) * len(SIZES) + s
        assert (rows["run"][k], rows["tau"][k]) == (run, tau)
        for name, values in (("p", at.p), ("term", at.terms), ("sum", at.sums)):
            sent = [float(word) for word in rows[name][k].split(" ")]
            np.testing.assert_allclose(sent, values[f, i, n, s, :tau], rtol=5.1e-4, atol=0)
        np.testing.assert_allclose(
            [float(word) for word in runs["h"][run].split(" ")], at.h[f, i, s], rtol=5.1e-4, atol=0
        )
        np.testing.assert_allclose(
            [float(word) for word in runs["slope"][run].split(" ")], at.slope[f, i, s], rtol=5.1e-4, atol=0
        )
        assert rows["total"][k] == at.sums[f, i, n, s, 0]
        assert rows["autograd"][k] == at.autograd[f, i, n, s]
        assert runs["words"][run] == words(PHIS[f], WEIGHTS[i])


def figure(config: OneWeight, shown: Position, start: Position = Position()):  # noqa: B008 # frozen
    return one_weight(found(config), tables(found(config), config.words), start, shown, config.words)


def test_a_file_begins_where_the_sliders_are_and_the_screen_where_they_were() -> None:
    shown = Position(w=-1.05, tau=7, size=2.0, phi="tanh", back=3, axis="log")
    fig = figure(CONFIGS[3], shown)
    whole, still = fig.standalone(), fig.standalone(moving=False)
    began = {param["name"]: param.get("value") for param in fig.spec["params"]}
    assert began["one_w"] == Position().w
    for spec in (whole, still):
        held = {param["name"]: param.get("value") for param in spec["params"]}
        assert [held[f"one_{name}"] for name in ("w", "tau", "size", "phi", "back", "axis")] == [
            -1.05,
            7,
            2.0,
            "tanh",
            3,
            "log",
        ]
        json.dumps(spec, allow_nan=False)
    assert len(whole["datasets"]["rows"]) == found(CONFIGS[3]).autograd.size
    (row,) = still["datasets"]["rows"]
    assert (
        row == whole["datasets"]["rows"][np.ravel_multi_index(shown.place, found(CONFIGS[3]).autograd.shape)]
    )
    assert figure(CONFIGS[0], Position()).spec is fig.spec, "a new input is new data, not a new chart"


@pytest.mark.parametrize(
    ("config", "phi", "w"),
    [*product(CONFIGS, PHIS, (0.9,)), *product(CONFIGS[:1], PHIS, (0.0, -1.5, 1.0))],
    ids=str,
)
def test_the_script_prints_the_table(config: OneWeight, phi: str, w: float) -> None:
    shown = Position(w=w, tau=2 if w == 0.0 else 13, size=2.0, phi=phi)
    fig = figure(config, shown)
    script = one_weight_script(config, shown, fig.title, fig.caption)
    assert "rnnviz" not in script
    ran = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True)
    assert ran.stderr == ""
    printed = list(csv.DictReader(io.StringIO(ran.stdout)))
    assert list(printed[0]) == list(fig.table)
    for name, column in fig.table.items():
        size = np.abs(column).max()  # a sum of parts of either sign
        np.testing.assert_allclose(
            [float(row[name]) for row in printed], column, rtol=1e-12, atol=1e-15 * size
        )
