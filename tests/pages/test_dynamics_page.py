"""Dynamics, its first two views: every number is that of a loop in NumPy, and no link breaks them."""

import io
import math
import re

import numpy as np
import pyarrow
import pytest
import torch

from rnnviz.systems import PRESETS
from rnnviz.ui import dyn_click
from rnnviz.ui.dyn_click import read_starts
from rnnviz.ui.dyn_controls import ONE, PHI, SYSTEMS, TWO
from rnnviz.ui.pages import DYNAMICS
from rnnviz.ui.state import Number
from tests.pages.visit import check_whole, figures, quiet_log, set_control, told, values, visit


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


FUNCTIONS = {
    "tanh": np.tanh,
    "ReLU": lambda a: np.maximum(a, 0),
    "sigmoid": sigmoid,
    "identity": lambda a: a,
}


def tables(at):
    """What each chart draws from, its largest table, in the order of the page."""
    figures(at)
    found = []
    for chart in at.get("vega_lite_chart"):
        (rows,) = [d.data.data for d in chart.proto.datasets if d.name == "rows"]
        found.append(pyarrow.ipc.open_stream(io.BytesIO(rows)).read_pandas())
    return found


def of(rows, kind):
    return rows[rows["kind"] == kind]


def captions(at):
    under = [re.search('<p class="under">(.*?)</p>', part.proto.body) for part in at.get("html")]
    return [found[1] for found in under if found]


def said(at):
    return " ".join(re.sub(r"\\(.)", r"\1", part.value) for part in at.markdown)


def two(**link):
    return visit(DYNAMICS, dyn_tab="Two units", **link)


# One unit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phi", FUNCTIONS)
@pytest.mark.parametrize(("w", "b", "u"), [(2.0, 0.0, 0.0), (-3.5, 0.4, -0.25), (0.5, -1.0, 2.0)])
def test_one_unit_is_a_numpy_loop(phi, w, b, u):
    at = visit(DYNAMICS, dyn_one_phi=phi, dyn_w=w, dyn_b=b, dyn_u=u, dyn_h0=0.45, dyn_T=12)
    check_whole(at)
    web, turned = tables(at)
    f = lambda h, w=w: FUNCTIONS[phi](w * h + b + u)  # as it is written in the lecture
    curve = of(web, "curve")
    np.testing.assert_allclose(curve["y"], f(curve["x"]), rtol=1e-12, atol=1e-14)
    h, orbit = 0.45, []
    for _ in range(12):
        orbit.append((h, f(h)))
        h = f(h)
    seen = of(web, "step")
    want = np.array(orbit)[: len(seen)]
    np.testing.assert_allclose(np.clip(seen[["x", "y"]], -6, 6), np.clip(want, -6, 6), rtol=1e-12, atol=1e-14)
    points = web[web["kind"].isin(["filled", "hollow"])]
    np.testing.assert_allclose(f(points["x"]), points["x"], atol=1e-10)
    for kind, label, at_h in zip(points["kind"], points["label"], points["x"], strict=True):
        slope = (f(at_h + 1e-6) - f(at_h - 1e-6)) / 2e-6
        told_slope = float(re.search(r"f′\(h\*\) = ([−\d.]+)", label)[1].replace("−", "-"))
        assert math.isclose(told_slope, slope, abs_tol=2e-3) or "marginal" in label
        assert (kind == "filled") == (abs(slope) < 1) or "marginal" in label
    branch = of(turned, "branch")
    np.testing.assert_allclose(f(branch["y"], branch["x"]), branch["y"], atol=1e-9)
    assert of(turned, "now")["x"].tolist() == [w]
    for k in (0, 60, 130, 200):
        weight, h = -5 + k / 20, 0.45
        for _ in range(400):
            h = f(h, weight)
        last = []
        for _ in range(16):
            h = f(h, weight)
            last.append(h)
        ends = of(turned, "end")
        shown = ends[np.isclose(ends["x"], weight)]["y"].to_numpy()
        size = float(np.ptp(turned["y"].dropna())) / 500
        for value in last:
            low, high = ((-1.2, 1.2), (-0.2, 1.2), (-6, 6))[
                ["tanh", "sigmoid"].index(phi) if phi in ("tanh", "sigmoid") else 2
            ]
            if low <= value <= high:
                assert np.abs(shown - value).min() < size
    assert ("Left to itself" in said(at)) == (u == 0)


def test_the_gru_of_one_unit_is_a_numpy_loop():
    link = {"dyn_w": 3.0, "dyn_b": 0.25, "dyn_u_r": 1.0, "dyn_b_r": -0.5, "dyn_u_z": -2.0, "dyn_b_z": 0.75}
    at = visit(DYNAMICS, dyn_one_cell="GRU", dyn_gates="true", dyn_T=9, dyn_u=0.5, **link)
    check_whole(at)
    web, _ = tables(at)
    h = 0.3
    for x, y in of(web, "step")[["x", "y"]].to_numpy():
        assert math.isclose(x, h, abs_tol=1e-12)
        r, z = sigmoid(h - 0.5), sigmoid(-2 * h + 0.75)
        h = z * h + (1 - z) * np.tanh(0.5 + 0.25 + r * 3.0 * h)
        assert math.isclose(y, h, abs_tol=1e-12)
    assert "r = σ(1h + -0.5)" in captions(at)[0]


def test_a_weight_beyond_one_carries_the_identity_out_of_the_picture():
    at = visit(DYNAMICS, dyn_one_phi="identity", dyn_w=5.0, dyn_T=200)
    check_whole(at)
    web, turned = tables(at)
    assert of(web, "gone")["label"].tolist() == ["h leaves the picture at step 2"]
    assert "1 unstable" in captions(at)[0]
    assert len(of(turned, "above")) > 70
    still = visit(DYNAMICS, dyn_one_phi="identity", dyn_w=1.0)
    check_whole(still)
    assert "fixed points without gaps" in captions(still)[0]


# Two units -----------------------------------------------------------------------------------------------

CELLS = {"RNN": "rnn", "LSTM": "lstm", "GRU": "gru"}


def step_of(cell, system, s, u, phi="tanh"):
    """One step of two numbers, written out from the weights that the preset says."""
    W, U, b = np.array(system.W), np.array(system.U), np.array(system.b)
    if cell == "RNN":
        return FUNCTIONS[phi](U @ s + W * u + b)
    if cell == "LSTM":
        i, f, g, o = U[:, 0] * s[0] + W * u + b
        c = sigmoid(f) * s[1] + sigmoid(i) * np.tanh(g)
        return np.array([sigmoid(o) * np.tanh(c), c])
    r, z = sigmoid(U[:2] @ s + W[:2] * u + b[:2]), sigmoid(U[2:4] @ s + W[2:4] * u + b[2:4])
    n = np.tanh(W[4:] * u + b[4:] + r * (U[4:] @ s))
    return z * s + (1 - z) * n


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", [name for name, kind in SYSTEMS.items() if kind in PRESETS])
@pytest.mark.parametrize("u", [0.0, 0.6])
def test_every_preset_is_a_numpy_loop(kind, cell, u):
    link = {"dyn_system": kind, "dyn_cell": cell, "dyn_input": u, "dyn_steps": 9, "dyn_from": 3}
    at = two(**link, dyn_earlier="0.5, 0.5")
    check_whole(at)
    assert {key: values(at)[key] for key in link} == link
    system = PRESETS[SYSTEMS[kind]][CELLS[cell]][0]
    phi = {"relu": "ReLU"}.get(dict(system.options).get("activation"), "tanh")
    plane, graph = tables(at)

    def f(s):
        return step_of(cell, system, s, u, phi)

    for kind_of, start in (("orbit", (0.1, 0.2)), ("earlier", (0.5, 0.5))):
        s = np.array(start)
        for shown in of(plane, kind_of)[["x", "y"]].to_numpy():
            np.testing.assert_allclose(shown, s, rtol=1e-10, atol=1e-12)
            s = f(s)
    arrows = of(plane, "arrow")
    change = np.array([f(s) - s for s in arrows[["x", "y"]].to_numpy()])
    drawn = arrows[["x2", "y2"]].to_numpy() - arrows[["x", "y"]].to_numpy()
    part = float((drawn * change).sum() / (change * change).sum())
    np.testing.assert_allclose(drawn, part * change, atol=1e-9)
    length = "in full" if math.isclose(part, 1.0) else f"at {part:.2g} of its length"
    assert f"f(s) − s {length}" in captions(at)[0]
    for k, role in enumerate(("map", "second")):
        line = of(plane, "null")
        for s in line[line["role"] == role][["x", "y"]].to_numpy()[::9]:
            assert abs(f(s)[k] - s[k]) < 1e-6 * (1 + abs(s[k]))
    for s in plane[plane["kind"].isin(["filled", "hollow"])][["x", "y"]].to_numpy():
        np.testing.assert_allclose(f(s), s, atol=1e-9)
    s = np.array([0.1, 0.2])
    for t in range(8):
        if t >= 3:
            numbers = of(graph, "numbers")["label"].tolist()[t - 3]
            got = [float(v.replace("−", "-")) for v in re.findall(r"= ([−\d.]+)", numbers)]
            np.testing.assert_allclose(got, s, atol=5.001e-4)
        s = f(s)
    assert len(of(graph, "given")) == (4 if u else 0)


def test_the_fixed_points_eigenvalues_are_numpys():
    at = two(dyn_system="Oscillator", dyn_input=0.25)
    (line,) = re.findall(r"focus at h₁ = ([−\d.]+), h₂ = ([−\d.]+), λ = ([^,]+), ([^,]+),", said(at))
    s, *values_said = np.array([float(v.replace("−", "-")) for v in line[:2]]), *line[2:]
    U = np.array([[1.0, -1.0], [1.0, 1.0]])
    for _ in range(50):  # Newton, written out
        h = np.tanh(U @ s + [0.25, 0.0])
        s = s - np.linalg.solve((1 - h * h)[:, None] * U - np.eye(2), h - s)
    want = np.linalg.eigvals((1 - np.tanh(U @ s + [0.25, 0.0]) ** 2)[:, None] * U)
    got = [complex(v.replace("−", "-").replace(" ", "").replace("i", "j")) for v in values_said]
    np.testing.assert_allclose(
        sorted(got, key=lambda v: v.imag), sorted(want, key=lambda v: v.imag), atol=1e-3
    )


def test_own_weights_and_a_seeds_are_numpy_loops():
    numbers = {
        "dyn_w_aa": -0.5,
        "dyn_w_ab": 1.25,
        "dyn_w_ba": 2.0,
        "dyn_w_bb": 0.3,
        "dyn_b_a": 0.1,
        "dyn_b_b": -0.7,
    }
    for phi, f in FUNCTIONS.items():
        at = two(dyn_system="Own weights", dyn_phi=phi, dyn_input=0.5, dyn_steps=5, **numbers)
        check_whole(at)
        s = np.array([0.1, 0.2])
        for shown in of(tables(at)[0], "orbit")[["x", "y"]].to_numpy():
            np.testing.assert_allclose(shown, s, atol=1e-12)
            s = f(np.array([[-0.5, 1.25], [2.0, 0.3]]) @ s + [0.1 + 0.5, -0.7])
    at = two(dyn_system="Drawn from a seed", dyn_cell="GRU", dyn_seed=7, dyn_radius=2.0, dyn_steps=4)
    check_whole(at)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        module = torch.nn.GRU(1, 2, dtype=torch.float64)
    with torch.no_grad():
        for block in module.weight_hh_l0.chunk(3):
            block.mul_(2.0 / torch.linalg.eigvals(block).abs().max())
        h, _ = module(torch.zeros(4, 1, 1, dtype=torch.float64), torch.tensor([[[0.1, 0.2]]]).double())
    np.testing.assert_allclose(of(tables(at)[0], "orbit")[["x", "y"]].to_numpy()[1:], h[:, 0], atol=1e-12)
    assert "seed 7, spectral radius 2" in captions(at)[0]


def test_counters_say_what_they_counted():
    assert "c has counted 40: exactly" in said(two(dyn_system="Counter", dyn_cell="LSTM", dyn_input=1.0))
    at = two(dyn_system="Counter", dyn_counting="tanh", dyn_input=1.0)
    h = 0.1
    for _ in range(40):
        h = math.tanh(h + 0.01)
    assert f"off by {abs((h - 0.1) / 0.01 - 40):.3g}" in said(at)
    assert "Set u = 1" in said(two(dyn_system="Counter", dyn_cell="GRU"))


# Links ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [ONE, TWO], ids=["one", "two"])
def test_the_ends_of_every_slider(table):
    tab = "One unit" if table is ONE else "Two units"
    held = {"dyn_system": "Own weights"} if table is TWO else {"dyn_gates": "true", "dyn_one_cell": "GRU"}
    sliders = [control for control in table.values() if isinstance(control, Number)]
    for end in ("low", "high"):
        link = {control.key: getattr(control, end) for control in sliders}
        link |= {} if table is ONE else {"dyn_s_a": 0, "dyn_s_b": 0, "dyn_from": 0}
        at = visit(DYNAMICS, dyn_tab=tab, **held, **link)
        assert [error.value for error in at.exception] == []
        assert [line for line in told(at) if "dyn_seed" not in line] == []
        assert len(figures(at)) == 2


@pytest.mark.parametrize("phi", PHI)
def test_unbounded_weights_are_no_error(phi):
    ends = {"dyn_w_aa": 5, "dyn_w_ab": -5, "dyn_w_ba": 5, "dyn_w_bb": 5, "dyn_steps": 200, "dyn_b_a": 3}
    at = two(dyn_system="Own weights", dyn_phi=phi, **ends)
    check_whole(at)
    if phi in ("ReLU", "identity"):
        assert "leaves the picture" in " ".join(tables(at)[0]["label"].dropna())


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        (
            {"dyn_tab": "Three units"},
            "View in the link (dyn_tab) is “Three units”; allowed: One unit, Two units",
        ),
        ({"dyn_w": "9"}, "Weight w in the link (dyn_w) is “9”; allowed: -5 to 5."),
        ({"dyn_w": "nan"}, "Weight w in the link (dyn_w) is “nan”; allowed: -5 to 5."),
        (
            {"dyn_tab": "Two units", "dyn_steps": "2.5"},
            "Steps in the link (dyn_steps) is “2.5”; allowed: whole",
        ),
        (
            {"dyn_tab": "Two units", "dyn_s_a": "7"},
            "Start h₁ in the link (dyn_s_a) is “7”; allowed: -1.2 to 1.2",
        ),
        (
            {"dyn_tab": "Two units", "dyn_earlier": "1, x"},
            "Earlier starts: “1, x” is no start; allowed: up to 3",
        ),
        (
            {"dyn_tab": "Two units", "dyn_earlier": "1,1;" * 4},
            "Earlier starts: 4 are typed; allowed: up to 3",
        ),
        ({"dyn_what": "1"}, "The link names “dyn_what”, which this page does not know."),
    ],
)
def test_what_a_link_cannot_have_is_one_sentence(link, sentence):
    at = visit(DYNAMICS, **link)
    assert [error.value for error in at.exception] == []
    (said_,) = told(at)
    assert said_.startswith(sentence)
    assert len(figures(at)) == 2


def test_a_link_may_name_what_another_view_holds():
    check_whole(visit(DYNAMICS, dyn_system="Counter", dyn_w=1.0))
    check_whole(two(dyn_w=1.0, dyn_seed=3))


def test_a_start_goes_along_with_a_window_that_shrinks():
    with quiet_log():
        at = two(dyn_system="Counter", dyn_s_a=9.0)
        check_whole(at)
        set_control(at, "dyn_system", "Latch")
        check_whole(at)
        assert values(at)["dyn_s_a"] == 1.2


def test_views_change_and_hold_what_they_held():
    with quiet_log():
        at = visit(DYNAMICS, dyn_w=1.5)
        set_control(at, "dyn_tab", "Two units")
        check_whole(at)
        set_control(at, "dyn_tab", "One unit")
        check_whole(at)
        assert values(at)["dyn_w"] == 1.5


def test_starts_are_read():
    assert read_starts("") == []
    assert read_starts("0.5, 0.2; −1, 0.3;") == [(0.5, 0.2), (-1.0, 0.3)]
    for wrong in ("1", "1,2,3", "1,nan", "1,inf", "101,0", "a,b"):
        with pytest.raises(ValueError, match="is no start; allowed"):
            read_starts(wrong)


def test_a_click_starts_there_and_keeps_the_last_start(monkeypatch):
    held = {"dyn_s_a": 0.1, "dyn_s_b": 0.2, "dyn_earlier": "0.5, 0.5; 0.6, 0.6; 0.7, 0.7"}
    held["phase-plane"] = {"selection": {"pick": [{"s1": -0.3000001, "s2": 0.95}]}}
    monkeypatch.setattr(dyn_click.st, "session_state", held)
    dyn_click._picked("phase-plane")
    sets = held["_sets"]
    assert sets == {
        "dyn_s_a": -0.3,
        "dyn_s_b": 0.95,
        "dyn_earlier": "0.1, 0.2; 0.5, 0.5; 0.6, 0.6",
    }
    held["phase-plane"] = {"selection": {"pick": []}}
    del held["_sets"]
    dyn_click._picked("phase-plane")
    assert "_sets" not in held
