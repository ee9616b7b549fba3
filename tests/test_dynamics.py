"""Small systems do what they say; orbits, branches, nullclines and scripts have the right numbers."""

import csv
import io
import json
import math
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import torch

from rnnviz import dynamics
from rnnviz.bifurcation_script import bifurcation_script
from rnnviz.charts.bifurcation import bifurcation
from rnnviz.charts.cobweb import cobweb, gone
from rnnviz.charts.figure import Formula
from rnnviz.charts.phase_plane import phase_plane, tiles
from rnnviz.charts.unrolled_map import unrolled_map
from rnnviz.dynamics_script import cobweb_script, orbit_script, plane_script
from rnnviz.systems import PRESETS, System, drawn, one_gru, one_rnn, own
from rnnviz.ui import dyn_words
from tests.engine import oracle
from tests.test_script import run_all

ANY = Formula("f", "f")
ALL = [
    pytest.param(system, id=f"{kind}-{system.title}")
    for kind, cells in PRESETS.items()
    for systems in cells.values()
    for system in systems
]
ONES = [
    one_rnn("tanh", 2.0, 0.0),
    one_rnn("tanh", -3.0, 0.35),
    one_rnn("relu", 0.5, 1.0),
    one_rnn("relu", 1.5, 0.0),
    one_rnn("sigmoid", -5.0, 2.0),
    one_rnn("identity", -1.5, 0.0),
    one_gru(3.0, 0.1, (1.0, 0.5), (-2.0, 1.0)),
]


def alone(system: System, inputs, start=(0.0, 0.0)):
    """s_0 … s_T in NumPy, (T+1,S), by code that has nothing of this package in it."""
    H, names = system.H, system.spec.state_names
    parts = np.array([start], dtype=float).reshape(len(names), 1, -1)[:, :, :H]
    first = dict(zip(names, parts, strict=True))
    params = {name: value.numpy() for name, value in system.params.items()}
    x = np.array(inputs, dtype=float).reshape(-1, 1, 1)
    states, _ = oracle.run(system.spec, params, x, first)
    return np.concatenate([states[name][:, 0] for name in names], 1)


def preset(kind, cell, k=0):
    return PRESETS[kind][cell][k]


# What the presets claim ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_latch_is_set_and_reset_by_a_pulse_and_holds_for_ten_thousand_steps(cell):
    system = preset("latch", cell)
    pulse, wait = [1.0] * 8, [0.0] * 10_000
    s = alone(system, [*pulse, *wait, *[-1.0] * 8, *wait])
    held, other = s[len(pulse) + 200 : len(pulse) + len(wait)], s[-9_000:]
    for part, sign in ((held, 1), (other, -1)):
        assert (sign * part[:, 0] > 0.9).all()
        assert np.ptp(part, axis=0).max() < 1e-12
    found = dynamics.standing(system, 0.0)
    assert found.stability == ("stable", "saddle", "stable")
    np.testing.assert_allclose(found.points[2], held[-1], atol=1e-12)
    np.testing.assert_allclose(found.points[0], other[-1], atol=1e-12)
    # while it is pushed, only one is left
    assert dynamics.standing(system, 1.0).stability == ("stable",)


def test_the_lstm_counts_exactly_up_and_down_and_so_a_n_b_n():
    system = preset("counter", "lstm")
    for n in (1, 7, 500):
        c = alone(system, [1.0] * n + [-1.0] * n)[:, 1]
        assert c.tolist() == [*range(n + 1), *range(n - 1, -1, -1)]
    assert system.count == (1, 1.0)


def test_the_relu_network_counts_exactly_and_not_below_zero():
    s = alone(preset("counter", "rnn"), [1.0] * 300 + [-1.0] * 400)
    assert s[:, 0].tolist() == [*range(301), *range(299, -1, -1), *[0] * 100]
    assert s[300:, 1].tolist() == [*range(401)]


@pytest.mark.parametrize(("cell", "k"), [("rnn", 1), ("gru", 0)])
def test_bounded_counters_fall_behind_ever_more(cell, k):
    system = preset("counter", cell, k)
    axis, unit = system.count
    s = alone(system, [1.0] * 200)
    errors = np.arange(201) - s[:, axis] / unit
    assert abs(errors[1]) < 1e-4  # the first step is right
    assert (np.diff(errors) > -1e-6).all()
    assert errors[40] > 0.5
    said = dyn_words.about(system, 1.0, s[:41])
    assert f"off by {errors[40]:.3g}" in said
    assert "Weiss, Goldberg & Yahav 2018" in said
    assert "exactly" in dyn_words.about(
        preset("counter", "lstm"), 1.0, alone(preset("counter", "lstm"), [1.0] * 9)
    )


@pytest.mark.parametrize(("cell", "period"), [("rnn", 8), ("gru", 8), ("lstm", 2)])
def test_an_oscillator_has_the_period_that_it_says(cell, period):
    system = preset("oscillator", cell)
    s = alone(system, [0.0] * 4000, (0.1, 0.2))[-50:]
    np.testing.assert_allclose(s[period:], s[:-period], atol=1e-9)
    for shorter in range(1, period):
        assert np.abs(s[shorter:] - s[:-shorter]).max() > 0.1
    assert "stable" not in dynamics.standing(system, 0.0).stability
    if cell == "gru":
        np.testing.assert_allclose(
            s, alone(preset("oscillator", "rnn"), [0.0] * 4000, (0.1, 0.2))[-50:], atol=1e-15
        )


def test_weights_can_be_read():
    for kind in PRESETS.values():
        for systems in kind.values():
            for system in systems:
                numbers = {*system.W, *system.b, *(v for row in system.U for v in row)}
                assert all(len(f"{abs(v):g}") <= 4 for v in numbers)
                said = dyn_words.matrix(system)
                assert said.count(r"\\") == len(system.U)
                for v in numbers:
                    assert f"{v:g}" in said
    assert torch.tensor(40.0, dtype=torch.float64).sigmoid().item() == 1.0


def test_drawn_weights_are_the_seeds():
    system = drawn("gru", (), 5, 1.3)
    blocks = system.params["W_hh"].chunk(3)
    for block in blocks:
        assert math.isclose(np.abs(np.linalg.eigvals(block.numpy())).max(), 1.3, rel_tol=1e-12)
    assert system == drawn("gru", (), 5, 1.3) != drawn("gru", (), 6, 1.3)


# Orbits, branches, nullclines ----------------------------------------------------------------------------


@pytest.mark.parametrize("system", ALL)
@pytest.mark.parametrize("u", [0.0, 1.0, -0.4])
def test_orbits_and_fields_are_those_of_a_numpy_loop(system, u):
    starts = np.array([[0.1, 0.2], [-0.7, 0.4], [1.0, 2.0]])
    got = dynamics.orbits(system, u, starts, 25)
    for m, start in enumerate(starts):
        np.testing.assert_allclose(got[:, m], alone(system, [u] * 25, start), rtol=1e-11, atol=1e-11)
    found = dynamics.plane(system, u)
    for s, change in zip(found.field[::7], found.change[::7], strict=True):
        np.testing.assert_allclose(alone(system, [u], s)[1] - s, change, atol=1e-12)
    for k, lines in enumerate(found.nullclines):
        for line in lines:
            steps = max(1, len(line) // 20)
            for s in line[::steps]:
                assert abs(alone(system, [u], s)[1, k] - s[k]) < 1e-6 * (1 + abs(s[k]))


def test_a_nullcline_is_where_algebra_has_it():
    found = dynamics.plane(own("identity", ((0.5, 1.0), (0.3, -0.2)), (0.7, 0.1)), 0.0)
    (first,), (second,) = found.nullclines
    np.testing.assert_allclose(first[:, 1], 0.5 * first[:, 0] - 0.7, atol=1e-12)
    np.testing.assert_allclose(1.2 * second[:, 1], 0.3 * second[:, 0] + 0.1, atol=1e-12)


def test_branches_of_tanh_are_the_closed_form():
    b = 0.2
    found = dynamics.bifurcation(one_rnn("tanh", 1.0, b), 0.3, 0.4)
    with mpmath.workdps(40):
        want = [float((mpmath.atanh(h) - (mpmath.mpf(b) + mpmath.mpf(0.3))) / h) for h in found.branch_h]
    np.testing.assert_allclose(found.branch_w, want, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.slope, found.branch_w * (1 - found.branch_h**2), rtol=1e-9, atol=1e-12)
    assert found.branch_h.max() > 0.9999  # up to where w = 5 leads
    # the fold, where two branches are born, is a minimum of w above h = 0 for no sign of b
    negative = found.branch_h < 0
    assert negative.sum() > 50


def test_without_a_bias_zero_is_a_branch_and_the_others_are_born_at_one():
    found = dynamics.bifurcation(one_rnn("tanh", 1.0, 0.0), 0.0, 0.4)
    zero = found.branch_h == 0
    assert zero.sum() == len(found.w)
    np.testing.assert_allclose(found.slope[zero], found.w)
    assert math.isclose(found.branch_w[~zero].min(), 1.0, abs_tol=1e-3)
    k = int(np.flatnonzero(np.isclose(found.w, 2.0))[0])
    s = alone(one_rnn("tanh", 2.0, 0.0), [0.0] * 416, (0.4,))[-16:, 0]
    np.testing.assert_allclose(found.last[k], s, rtol=1e-12)
    two = found.last[int(np.flatnonzero(np.isclose(found.w, -2.0))[0])]
    np.testing.assert_allclose(two[::2], -two[1::2])  # period two


def test_a_kink_has_no_slope_and_a_runaway_is_kept():
    found = dynamics.bifurcation(one_rnn("relu", 1.0, 0.0), 0.0, 0.5)
    zero = found.branch_h == 0
    assert np.isnan(found.slope[zero & (np.abs(found.branch_w) > 0.01)]).all()
    assert found.last[-1].min() > 1e100


@pytest.mark.parametrize("system", ONES, ids=lambda system: system.title)
def test_every_branch_stands_still_and_meets_newtons_points(system):
    found = dynamics.bifurcation(system, 0.25, 0.3)
    w = system.U[-1][0]
    for k in range(0, len(found.branch_w), max(1, len(found.branch_w) // 40)):
        here = one_like(system, float(found.branch_w[k]))
        h = found.branch_h[k]
        assert abs(alone(here, [0.25], (h,))[1, 0] - h) < 1e-12 * (1 + abs(h))
    low, high = system.window[0]
    points = dynamics.standing(system, 0.25).points[:, 0].numpy()
    for h in points[(points > low) & (points < high)]:
        near = found.branch_h[np.argsort(np.abs(found.branch_h - h))[:2]]
        there = found.branch_w[np.argsort(np.abs(found.branch_h - h))[:2]]
        assert np.abs(near - h).min() < 0.02
        assert np.abs(there - w).min() < 0.3


def one_like(system, w):
    U = (*system.U[:-1], (w,))
    return System(system.cell, system.options, system.W, U, system.b, system.window)


# Figures and scripts -------------------------------------------------------------------------------------


def web(system, u=0.25, h0=0.3, T=20):
    h = dynamics.grid(system, 31)
    orbit = dynamics.orbits(system, u, np.array([[h0]]), T)[:, 0, 0]
    return cobweb(
        system.window[0],
        h[:, 0],
        dynamics.image(system, u, h)[:, 0],
        orbit,
        dynamics.standing(system, u),
        ANY,
        "",
    )


def plane_of(system, u, starts, T=12):
    found = dynamics.plane(system, u)
    s = dynamics.orbits(system, u, np.array(starts), T)
    return phase_plane(
        system.window, system.axes, (found.field, found.change), found.nullclines, s, found.fixed, ANY, ""
    )


def branches(system, u=0.25, h0=0.3):
    found = dynamics.bifurcation(system, u, h0)
    branch = (found.branch_w, found.branch_h, found.slope, found.piece)
    return bifurcation(system.window[0], found.w, found.last, branch, 1.0, ANY, "")


STARTS = ((0.1, 0.2), (-0.6, 0.3))
SEEDED = [
    drawn("rnn", (("activation", "sigmoid"),), 3, 1.5),
    drawn("lstm", (), 4, 1.5),
    drawn("gru", (), 8, 2.0),
]


def cases():
    """Scripts with the tables that they have to print, and how far rounding may carry them apart."""
    for system in ONES:
        if dict(system.options).get("activation") != "identity":
            yield bifurcation_script(system, 0.25, 0.3, "A title", "b"), branches(system).table, 1e-9
        yield cobweb_script(system, 0.25, 0.3, 20, 30, 'A "title"', "b"), web(system).table, 1e-9
    presets = [system for kind in PRESETS.values() for systems in kind.values() for system in systems]
    for system in [*presets, *SEEDED, own("identity", ((0.5, -1.2), (1.0, 0.5)), (0.1, 0.2))]:
        for u in (0.0, 1.0):
            loose = (
                1e-6 if system.count and u == 0 else 1e-9
            )  # a triple root is known to a third of the digits
            script = plane_script(system, u, STARTS, 12, "A title", "b")
            yield script, plane_of(system, u, STARTS).table, loose
        s = dynamics.orbits(system, 0.5, np.array(STARTS[:1]), 9)[:, 0]
        graph = unrolled_map(system.axes, s, 0.5, 2, ANY, "")
        yield orbit_script(system, 0.5, STARTS[0], 9, "A title", "b"), graph.table, 1e-9


def test_every_script_prints_its_figures_table():
    scripts, tables, tolerances = zip(*cases(), strict=True)
    for printed, table, tolerance in zip(run_all(scripts), tables, tolerances, strict=True):
        head, *rows = csv.reader(io.StringIO(printed))
        assert head == list(table)
        for name, column in zip(head, zip(*rows, strict=True), strict=True):
            want = list(table[name])
            if isinstance(want[0], str):
                assert list(column) == want
            else:
                got = np.array(column, dtype=float)
                np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance, err_msg=name)


def test_a_script_runs_by_itself(tmp_path):
    system = preset("latch", "lstm")
    (tmp_path / "plane.py").write_text(
        plane_script(system, 0.0, STARTS, 12, "A title", "b"), encoding="utf-8"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-W", "error", "plane.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stderr == ""
    assert "saddle,2,0,0.0,0.0," in ran.stdout


def test_what_leaves_the_picture_is_said():
    far = web(one_rnn("identity", 2.0, 0.0), 0.0, 0.5, 60)
    assert "leaves the picture at step 4" in far.caption
    assert json.dumps(far.standalone(), allow_nan=False)
    assert gone(np.array([0.0, np.nan, 1.0]), (-1, 1)) == 1
    assert gone(np.array([0.0, 1.0]), (-1, 1)) is None
    runaway = branches(one_rnn("identity", 2.0, 0.0))
    assert "leaves the picture (triangles)" in runaway.caption
    kinds = runaway.data["kind"]
    assert kinds.count("above") + kinds.count("below") >= 160
    off = plane_of(preset("counter", "lstm"), 1.0, STARTS, 40)
    assert "leaves the picture at step 12" in off.data["label"]
    assert "no fixed point, from 441 starts" in off.caption


def test_every_figure_is_whole():
    for fig in (web(ONES[0]), branches(ONES[0]), plane_of(preset("latch", "rnn"), 0.0, STARTS)):
        assert fig.standalone()["description"].startswith(fig.title)
        assert len({len(column) for column in fig.data.values()}) == 1
        assert len({len(column) for column in fig.table.values()}) == 1
    assert "fixed points: 2 stable nodes, 1 saddle" in plane_of(preset("latch", "rnn"), 0.0, STARTS).caption


def test_the_specification_stays_while_a_slider_moves():
    assert web(one_rnn("tanh", 2.0, 0.0)).spec is web(one_rnn("tanh", -1.0, 0.5)).spec
    assert branches(one_rnn("tanh", 2.0, 0.0)).spec is branches(one_rnn("tanh", 2.0, 0.5)).spec
    latch = preset("latch", "rnn")
    assert plane_of(latch, 0.0, STARTS).spec is plane_of(latch, 1.0, STARTS[:1]).spec


def test_tiles_cover_the_window_without_overlap():
    squares = tiles(((-1.2, 1.2), (-3.0, 12.0)), 49)
    area = (squares["right"] - squares["left"]) * (squares["above"] - squares["below"])
    assert math.isclose(area.sum(), 2.4 * 15.0)
    assert len({*zip(squares["s1"].tolist(), squares["s2"].tolist(), strict=True)}) == 49 * 49


def test_where_an_area_stays_there_is_no_line():
    assert dynamics.plane(preset("counter", "rnn"), 0.0).nullclines == ((), ())
    (line,), none = dynamics.plane(preset("counter", "lstm"), 0.0).nullclines
    assert none == ()
    np.testing.assert_allclose(line[:, 0], np.tanh(line[:, 1]), atol=1e-12)
