"""Dynamics, the tabs Many units and Machines: every machine, bad input, links; numbers are the engine's."""

import json
import re

import numpy as np
import pytest
import torch

from rnnviz.charts.theme import vega_config
from rnnviz.engine import CELLS, fixed_points, init_params, unroll
from rnnviz.experiment import Input, Model
from rnnviz.export import chart_svg
from rnnviz.machine_script import count_script, tape_script
from rnnviz.machines import MACHINES, machine
from rnnviz.machines.trials import count_trial
from rnnviz.machines.typed import TYPED
from rnnviz.state_space import Setting, state_space
from rnnviz.state_space_script import listed_script, space_script, spectra_script
from rnnviz.ui import dyn_machines_cached as machines
from rnnviz.ui import dyn_many_cached as many
from rnnviz.ui.dyn_machines import MACHINES as TABLE
from rnnviz.ui.pages import DYNAMICS
from tests.pages.visit import check_whole, pictures, quiet_log, sent, told, visit
from tests.test_script import columns_of, run_all

TITLES = {name: machine(name).title for name in MACHINES}
BAD = ["10a<b>", "", "1" * 5000, "١٠١"]


def at_machine(name, **link):
    return visit(DYNAMICS, dyn_tab="Machines", dyn_mach_name=TITLES[name], **link)


def at_many(**link):
    return visit(DYNAMICS, dyn_tab="Many units", **{f"dyn_many_{k}": v for k, v in link.items()})


def boxes(at):
    return [box.value.replace("\\", "") for box in (*at.success, *at.warning)]


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_shows_its_run_and_says_whether_it_is_right(name):
    with quiet_log():
        at = at_machine(name)
    assert [error.value for error in at.exception] == []
    assert len(pictures(at)) == 2
    made = machine(name)
    given = TYPED[made.typed].read(TYPED[made.typed].default)
    run = sent(at)
    trace = unroll(made.spec, made.params, given.tensor)
    for state in made.spec.state_names:
        np.testing.assert_allclose(run.arrays[state], trace.states[state][:, 0], rtol=1e-6)
    for weights in ("W_ih", "W_hh"):
        np.testing.assert_array_equal(run.arrays[weights], np.array(getattr(made, weights), dtype=np.float32))
    (box,) = boxes(at)
    leaks = name in ("tanh-counter", "gru-counter")
    assert ("equal the specification, exactly" in box) != leaks
    tables = [table.value for table in at.table]
    assert len(tables) == (2 if "counter" in name else 1)
    assert tables[0].shape[0] == len(made.W_ih)


def test_the_answers():
    for name, link, words in (
        ("addition", {"dyn_mach_sum": "111 + 1"}, "111 + 1 = 1000, which is 8."),
        ("parity", {"dyn_mach_bits": "111"}, "The number of ones is odd."),
        ("remainder", {"dyn_mach_bits": "1010"}, "The number is 10; its remainder by 3 is 1."),
        ("latch", {"dyn_mach_pulses": "s.."}, "At the end the bit is set."),
        ("lstm-counter", {"dyn_mach_word": "a^60 b^60"}, "Accepted: it is aⁿbⁿ with n = 60."),
        ("relu-counter", {"dyn_mach_word": "abab"}, "Rejected: 1 a after b."),
        ("tanh-counter", {"dyn_mach_word": "a^20 b^20"}, "25 of 40 outputs"),
    ):
        (box,) = boxes(at_machine(name, **link))
        assert words in box


def test_a_check_on_random_inputs_is_in_the_link():
    (box,) = boxes(at_machine("addition", dyn_mach_check=1))
    assert "Of 1,000 random inputs of 60 steps (seed 0) 1,000 are right at every step" in box
    at = at_machine("tanh-counter", dyn_mach_check=1)
    assert at.success == []
    assert "(seed 0) 236 are right" in boxes(at)[0]


@pytest.mark.parametrize("name", ["parity", "taps", "addition", "latch", "lstm-counter"])
@pytest.mark.parametrize("text", BAD, ids=["letters", "empty", "long", "digits"])
def test_bad_input_gets_a_sentence_and_the_default(name, text):
    kind = machine(name).typed
    at = at_machine(name, **{f"dyn_mach_{kind}": text})
    assert [error.value for error in at.exception] == []
    said = [line for line in told(at) if "allowed" in line]
    assert said or text == ""  # an empty text in a link is no text in Streamlit's eyes
    assert all(line.startswith(TYPED[kind].label) for line in said)
    given = TYPED[kind].read(TYPED[kind].default)
    assert len(given.x) == sent(at).T


def test_a_place_in_the_link_is_shown_and_limits_are_told():
    at = at_machine("addition", dyn_mach_t=3, dyn_mach_unit=2)
    assert told(at) == []
    assert sent(at).head["start"]["t"] == 3
    assert sent(at).head["start"]["unit"] == 2
    at = at_machine("addition", dyn_mach_t=77)
    assert any("Step t in the link (dyn_mach_t)" in line for line in told(at))
    at = at_machine("delay", dyn_mach_k=12)
    assert any("allowed: whole numbers from 1 to 9" in line or "1 to 9" in line for line in told(at))


def test_dials():
    assert sent(at_machine("delay", dyn_mach_k=9)).H == 10
    at = at_machine("gru-counter", dyn_mach_keep="40")
    assert not sent(at).arrays["h"].any()
    errors = at.table[1].value
    assert errors.iloc[3, -1] == "1"
    assert list(errors.iloc[:2, 0]) == ["0", "0"]


def assert_same(printed, table, loose=()):
    assert list(printed) == list(table)
    for name, column in printed.items():
        want = list(table[name])
        try:
            want = np.array(want, dtype=float)
        except ValueError:
            assert column == [str(v) for v in want], name
            continue
        got = np.array(column, dtype=float)
        if name in loose:
            assert (got < 1e-11).all()
        else:
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12, err_msg=name)


def test_the_tapes_scripts_print_their_numbers():
    pairs = [(name, TYPED[machine(name).typed]) for name in MACHINES]
    given = {name: typed.read(typed.default) for name, typed in pairs}
    figures = {name: machines.tape_figure(name, None, given[name], 2) for name in MACHINES}
    scripts = [tape_script(machine(n), given[n], fig.title, fig.caption) for n, fig in figures.items()]
    for printed, fig in zip(run_all(scripts), figures.values(), strict=True):
        assert_same(columns_of(printed), fig.table)


@pytest.mark.parametrize("name", MACHINES)
def test_a_tape_shows_the_engine_s_states_and_of_outputs_v_times_them(name):
    made = machine(name)
    given = TYPED[made.typed].read(TYPED[made.typed].default)
    table = machines.tape_figure(name, None, given, 2).table
    states = unroll(made.spec, made.params, given.tensor).states[made.reads][1:, 0].numpy()
    for k in range(made.H):
        np.testing.assert_array_equal(table[f"{made.reads}_{k + 1}"], states[:, k])
    y, said = states @ np.array(made.V).T, np.array(made.specification(given.x))
    for k in range(len(made.V)):
        np.testing.assert_allclose(table[f"y_{k + 1}"], y[:, k], rtol=1e-14)
        np.testing.assert_array_equal(table[f"specification_{k + 1}"], said[:, k])


def test_the_tape_marks_what_is_wrong_and_only_that():
    given = TYPED["word"].read("a^20 b^20")
    data = machines.tape_figure("tanh-counter", None, given, 1).data
    kinds = np.array(data["kind"])
    y = next(r for r in machines.tape_rows("tanh-counter", None, given) if r.column == "y_1").values
    said = np.concatenate([np.arange(1, 21), np.arange(19, -1, -1)])
    wrong = np.abs(y - said) >= 0.5
    x = np.array(data["x"], dtype=object)
    assert x[kinds == "unequal"].tolist() == (np.flatnonzero(wrong) + 1).tolist()
    assert (kinds == "equal").sum() == (~wrong).sum()


def test_the_counters_script():
    counters = [machine(name) for name in MACHINES if "counter" in name]
    printed = columns_of(run_all([count_script(counters, "t", "c")])[0])
    found = [count_trial(counter) for counter in counters]
    np.testing.assert_allclose(
        np.array([printed[f"error at n = {n}"] for n in (10, 100, 1000, 10000)], dtype=float).T,
        [trial.errors for trial in found],
        rtol=1e-9,
    )
    assert printed["wrong from n"] == [str(trial.wrong_from or "none") for trial in found]
    assert printed["cell"] == [counter.what for counter in counters]


# Many units


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("link", [{}, {"driven": "fed", "input": "Text"}, {"H": 1}, {"H": 2, "T": 2}])
def test_every_cell_alone_and_fed_and_small(cell, link):
    at = at_many(cell=cell, **{"H": 8, **link})
    assert [error.value for error in at.exception] == []
    assert told(at) == []
    assert len(at.get("plotly_chart")) == 1
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    if link.get("H") == 1 and cell != "LSTM":
        assert "no further direction" in spec["layout"]["scene"]["yaxis"]["title"]["text"]


@pytest.mark.parametrize(
    "link",
    [
        {"radius": 0.0},
        {"radius": 3.0, "H": 64, "T": 400},
        {"cell": "RNN", "activation": "identity", "init": "Orthogonal", "gain": 3.0, "T": 400},
        {"cell": "RNN", "activation": "ReLU", "init": "Orthogonal", "gain": 3.0, "T": 400, "driven": "fed"},
        {"cell": "RNN", "init": "Identity", "activation": "ReLU"},
        {"point": 48},
    ],
)
def test_extremes(link):
    at = at_many(**link)
    assert [error.value for error in at.exception] == []
    assert len(at.get("plotly_chart")) == 1
    assert any("runs away" in line for line in told(at)) == ("gain" in link)
    if "point" in link:
        assert any("Fixed point in the link (dyn_many_point)" in line for line in told(at))


def test_the_path_and_the_fixed_points_are_the_engine_s():
    model = Model("gru", (("reset", "after"), ("z", "keeps")), 6, 3, "scaled", (("radius", 2.5),))
    source = Input("noise", 40, seed=3)
    setting = Setting(model, source, 40)
    x = source.signal().x
    params = init_params(CELLS["gru"], 1, 6, 3, "scaled", radius=2.5)
    h = unroll(CELLS["gru"], params, x).states["h"][:, 0].numpy()
    # Principal directions by NumPy's eigenvectors of the covariance matrix.
    centred = h - h.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    top = vectors[:, ::-1][:, :3]
    top = top * np.sign(top[np.abs(top).argmax(0), range(3)])
    table = many.scene(setting, "c").table
    n = len(h)
    got = np.stack([table[f"direction_{k}"] for k in (1, 2, 3)], 1)
    np.testing.assert_allclose(got[:n], centred @ top, atol=1e-9)
    away = np.linalg.norm(centred - centred @ top @ top.T, axis=1)
    np.testing.assert_allclose(table["distance"][:n], away, atol=1e-9)
    shares = values[::-1][:3] / values.sum()
    assert f"{100 * shares.sum():.1f} % of the path's variance" in many.scene(setting, "c").caption
    # Each fixed point under the mean input, by torch.nn's own cell and its autograd.
    found = state_space(setting).fixed
    assert len(found) >= 1
    cell = torch.nn.GRUCell(1, 6, dtype=torch.float64)
    names = {"weight_ih": "W_ih", "weight_hh": "W_hh", "bias_ih": "b_ih", "bias_hh": "b_hh"}
    cell.load_state_dict({name: params[ours] for name, ours in names.items()})
    mean = x.mean().view(1, 1)
    listed = many.listed(setting)
    for p, point in enumerate(found.points):
        step = lambda s: cell(mean, s[None])[0]
        torch.testing.assert_close(step(point), point, rtol=0, atol=1e-10)
        J = torch.autograd.functional.jacobian(step, point)
        moduli = torch.linalg.eigvals(J).abs().numpy()
        assert listed["max |λ|"][p] == pytest.approx(moduli.max(), rel=1e-8)
        assert int(listed["unstable directions"][p]) == (moduli > 1).sum()
        off = point.numpy() - h.mean(0)
        assert listed["distance"][p] == pytest.approx(np.linalg.norm(off - off @ top @ top.T), abs=1e-8)
    spectra = many.spectra(setting, 1, "c").table
    np.testing.assert_allclose(spectra["modulus"], found.eigenvalues.abs().numpy().ravel(), rtol=1e-12)


def test_the_page_s_table_is_that_of_the_default_setting():
    at = at_many()
    check_whole(at, count=1)
    shown = at.table[0].value
    spec = CELLS["lstm"]
    params = init_params(spec, 1, 16, 9, "scaled", radius=2.8, forget_bias=1.0)
    rng = torch.Generator().manual_seed(9)
    first = 2 * torch.rand(1, 32, generator=rng, dtype=torch.float64) - 1
    x = torch.zeros(60, 1, 1, dtype=torch.float64)
    states = unroll(spec, params, x, {"h": first[:, :16], "c": first[:, 16:]}).states
    path = torch.cat([states["h"][:, 0], states["c"][:, 0]], 1)
    again = fixed_points(spec, params, x[0, 0], torch.cat([path, -path]))
    sizes = {f"{v:.3g}" for v in again.eigenvalues.abs().amax(1).tolist()}
    assert len(shown) == 5
    assert sizes & set(shown["max |λ|"])
    assert all(float(residual) < 1e-12 for residual in shown["residual"])
    # The path ends at one of them.
    ends = state_space(Setting(Model("lstm", (), 16, 9, "scaled", (("radius", 2.8),), 1.0), None, 60))
    torch.testing.assert_close(ends.path, path, rtol=0, atol=1e-12)
    assert (ends.fixed.points - path[-1]).norm(dim=1).min() < 0.1


def test_a_file_of_the_spectra_begins_at_its_edge():
    fig = many.spectra(SETTINGS[1], 1, "c")
    svg = chart_svg(fig.standalone(), config=vega_config()).decode()
    title = re.search(r'role-title"><g transform="translate\((-?[0-9.]+),', svg)
    assert abs(float(title[1])) < 5


SETTINGS = [
    Setting(Model("rnn", (("activation", "tanh"),), 16, 40, "scaled", (("radius", 1.8),)), None, 60),
    Setting(Model("lstm", (), 5, 9, "scaled", (("radius", 1.8),), 1.0), Input("text", 9, text="it's in"), 9),
    Setting(Model("rnn", (("activation", "tanh"),), 1, 9, "scaled", (("radius", 1.8),)), None, 20),
]


def test_the_scripts_print_the_figures_numbers():
    makers = (space_script, spectra_script, listed_script)
    printed = run_all([make(setting, "t", 'a "c"') for setting in SETTINGS for make in makers])
    for k, setting in enumerate(SETTINGS):
        space, spectra, listed = map(columns_of, printed[3 * k : 3 * k + 3])
        assert_same(space, many.scene(setting, "c").table)
        assert_same(spectra, many.spectra(setting, 1, "c").table)
        table = {name: column for name, column in many.listed(setting).items() if name != "kind"}
        assert_same(listed, table, loose=("residual",))


def test_every_control_of_the_stepper_has_its_own_key():
    assert {TABLE[name].key for name in ("t", "unit", "stage", "back", "view", "scale")} == {
        f"dyn_mach_{name}" for name in ("t", "unit", "stage", "back", "view", "scale")
    }
