"""The cliff as a page: its numbers are the engine's, at every end of its controls, and bad links are told."""

import base64
import json
import re

import numpy as np
import pytest

from rnnviz.cliff import Descent, Unit, descend, ends_on, surface, wall
from rnnviz.ui import cliff_cached
from rnnviz.ui.cliff_controls import CLIFF, CLIPS, LRS, STARTS, WINDOWS
from rnnviz.ui.pages import CLIFF as PAGE
from tests.pages.visit import figures, quiet_log, set_control, told, values, visit


def scenes(at):
    return [json.loads(part.proto.spec) for part in at.get("plotly_chart")]


def array(packed):
    """Numbers as Plotly sends them: base64, with their type and shape."""
    shape = [int(size) for size in packed.get("shape", "-1").split(",")]
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]).reshape(shape)


def check_whole(at):
    assert [error.value for error in at.exception] == []
    assert told(at) == []
    assert len(figures(at)) == 1
    (view,) = scenes(at)
    assert len(view["data"]) == 5
    return view


def words(at):
    return " ".join(part.value for part in at.markdown)


def caption(at):
    return " ".join(part.proto.body for part in at.get("html"))


def expected(unit, box, start, lr, clip, updates):
    ground = surface(ends_on(unit, box), unit.target, box)
    return ground, descend(unit, [Descent(*start, lr), Descent(*start, lr, clip)], updates)


def test_the_first_view_shows_the_papers_surface_and_what_one_update_does():
    at = visit(PAGE)
    view = check_whole(at)
    ground, (free, clipped) = expected(
        Unit("sigmoid", 50, 0.7), WINDOWS["sigmoid"]["usual"], (4.75, -1.5), 0.5, 1.0, 60
    )
    plane, *_ = view["data"]
    np.testing.assert_array_equal(array(plane["z"]), ground.E)
    np.testing.assert_array_equal(array(plane["customdata"]), ground.norm)
    np.testing.assert_array_equal(array(plane["x"]), ground.w)
    said = words(at)
    largest, w, b = ground.steepest()
    top = wall(Unit(), WINDOWS["sigmoid"]["usual"]).steepest()
    assert f"**{largest:.3g}** at w = {w:.3g}, b = −{-b:.3g}" in said
    assert f"**{said_as(top[0])}**" in said
    assert f"Without clipping: **E = {free.E[-1]:.3g}** after update 60" in said
    assert f"**E = {clipped.E[-1]:.3g}** after update 60; 1 of 60 updates were clipped" in said
    for part in ("φ = sigmoid", "x₀ = 0.5", "T = 50", "y = 0.7", "w = 4.75", "b = −1.5", "η = 0.5", "θ = 1"):
        assert part in caption(at)
    assert r"x_t = w\,\sigma(x_{t-1}) + b" in said
    assert r"\tfrac{\theta}" in said


def said_as(value):
    return re.sub(r"e\+?0*", "e", f"{value:.3g}")


def test_the_answer_is_hidden_first_and_says_what_the_steepest_update_does():
    at = visit(PAGE)
    assert "exploded" not in words(at)
    at = visit(PAGE, cliff_answer="true")
    check_whole(at)
    _, (free, _) = expected(Unit(), WINDOWS["sigmoid"]["usual"], (4.75, -1.5), 0.5, 1.0, 60)
    said = words(at)
    assert "is at update 24: w = 4.2, b = −2.12" in said
    assert f"0.5 · {free.norm[24]:.3g} = {0.5 * free.norm[24]:.3g} leads to w = {free.w[25]:.3g}" in said
    assert "an exploded gradient, and behind it a vanished one" in said
    assert "never longer than ηθ = 0.5" in said
    calm = words(visit(PAGE, cliff_answer="true", cliff_lr="0.01"))
    assert "No gradient here is above θ = 1: both ways are the same" in calm


LINKS = [
    {"T": 2},
    {"T": 100},
    {"T": 100, "window": "wide", "activation": "tanh"},
    {"lr": "10", "updates": 200},
    {"lr": "0.01", "updates": 1},
    {"clip": "0.01"},
    {"clip": "10", "updates": 21},
    {"target": 0.05},
    {"target": 0.95, "activation": "tanh"},
    {"w": 3.5, "b": -3.25},
    {"w": 5.5, "b": -1.25, "lr": "10"},
    {"window": "wide", "w": 12.0, "b": 4.0},
    {"window": "close", "lr": "2"},
]


@pytest.mark.parametrize("link", LINKS, ids=lambda link: "-".join(f"{k}{v}" for k, v in link.items()))
def test_the_ends_of_the_controls_show_the_engines_numbers(link):
    with quiet_log():
        at = visit(PAGE, **{f"cliff_{name}": value for name, value in link.items()})
        view = check_whole(at)
    shown = values(at)
    assert {f"cliff_{name}": value for name, value in link.items()}.items() <= shown.items()
    phi = link.get("activation", "sigmoid")
    box = WINDOWS[phi][link.get("window", "usual")]
    prefix = "cliff_" if phi == "sigmoid" else f"cliff_{phi}_"
    start = shown[f"{prefix}w"], shown[f"{prefix}b"]
    unit = Unit(phi, shown["cliff_T"], shown["cliff_target"])
    ground, ways = expected(
        unit, box, start, float(shown["cliff_lr"]), float(shown["cliff_clip"]), shown["cliff_updates"]
    )
    np.testing.assert_array_equal(array(view["data"][0]["z"]), ground.E)
    table = cliff_cached.contour(asked_of(unit, box, start, shown)).table
    for name in ("w", "b", "E", "norm"):
        np.testing.assert_array_equal(table[name], np.concatenate([getattr(way, name) for way in ways]))
    said = words(at)
    for way, name in zip(ways, ("Without clipping", "Clipped at"), strict=True):
        assert re.search(rf"{name}.*E = {re.escape(minus(way.E[-1]))}\*\* after", said)


def minus(value):
    return said_as(value).replace("-", "−").replace("e−0", "e−")


def asked_of(unit, box, start, shown):
    from rnnviz.ui.cliff_controls import Asked

    lr, clip = float(shown["cliff_lr"]), float(shown["cliff_clip"])
    return Asked(unit, box, start, lr, clip, shown["cliff_updates"])


def test_each_activation_keeps_its_start_and_a_window_takes_it_along():
    with quiet_log():
        at = visit(PAGE)
        set_control(at, "cliff_w", 4.0)
        set_control(at, "cliff_activation", "tanh")
        check_whole(at)
        assert (values(at)["cliff_tanh_w"], values(at)["cliff_tanh_b"]) == STARTS["tanh"]
        set_control(at, "cliff_activation", "sigmoid")
        assert values(at)["cliff_w"] == 4.0
        set_control(at, "cliff_w", 5.5)
        set_control(at, "cliff_window", "close")
        check_whole(at)
        assert values(at)["cliff_w"] == WINDOWS["sigmoid"]["close"][0][1]


def test_starts_lie_in_every_usual_window_and_every_window_shows_a_wall():
    for phi, windows in WINDOWS.items():
        (left, right), (bottom, top) = windows["usual"]
        assert left <= STARTS[phi][0] <= right
        assert bottom <= STARTS[phi][1] <= top
        assert list(windows) == list(CLIFF["window"].options)
        for box in windows.values():
            assert len(wall(Unit(phi), box).w) > 10


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"cliff_T": 1}, "(cliff_T) is “1”; allowed: 2 to 100"),
        ({"cliff_T": "nan"}, "(cliff_T) is “nan”"),
        ({"cliff_updates": 201}, "(cliff_updates) is “201”; allowed: 1 to 200"),
        ({"cliff_updates": 2.5}, "whole numbers from 1 to 200"),
        ({"cliff_w": 99}, "(cliff_w) is “99”; allowed: 3.5 to 5.5"),
        ({"cliff_b": "deep"}, "(cliff_b) is “deep”"),
        ({"cliff_lr": 0.4}, f"(cliff_lr) is “0.4”; allowed: {LRS[0]:g}, "),
        ({"cliff_clip": "never"}, f"(cliff_clip) is “never”; allowed: {CLIPS[0]:g}, "),
        ({"cliff_activation": "ReLU"}, "allowed: sigmoid, tanh"),
        ({"cliff_window": "vast"}, "allowed: close, usual, wide"),
        ({"cliff_target": -1}, "(cliff_target) is “-1”"),
        ({"cliff_answer": "maybe"}, "(cliff_answer)"),
        ({"cliff_tanh_w": 99}, "(cliff_tanh_w)"),
        ({"cliff_dog": 5}, "cliff_dog"),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
def test_what_a_link_cannot_have_is_said_and_the_default_shown(link, said):
    at = visit(PAGE, **link)
    assert [error.value for error in at.exception] == []
    (sentence,) = told(at)
    assert said in sentence
    assert len(figures(at)) == 1
