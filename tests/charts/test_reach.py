"""Gradients over the sequence and over training: every pixel, the one scale, and every row."""

import base64
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rnnviz.charts.reach import HIGH, LOW, log_means, reach
from rnnviz.charts.theme import CELL, DECADES
from tests.charts.learnings import learning, three
from tests.charts.test_learning import assert_drawable, rows
from tests.charts.test_strips import rgb


def pixels(address):
    image = Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1])))
    assert image.mode == "RGBA"
    return np.asarray(image).astype(int)


def colour(norm):
    """One norm's colour, from the scale's own words: linear between its stops, over the decades."""
    place = 0.0 if norm == 0 else min(max((math.log10(norm) - LOW) / (HIGH - LOW), 0), 1) * (len(DECADES) - 1)
    k = min(int(place), len(DECADES) - 2)
    return [a + (place - k) * (b - a) for a, b in zip(rgb(DECADES[k]), rgb(DECADES[k + 1]), strict=True)]


def test_every_pixel_is_the_geometric_mean_of_the_living():
    run = learning("lstm", 60, T=7, asked=5, dies=(1, 31))
    run.state_grad_norms[:, :, 5:] = np.nan  # behind the end of every sequence so far
    (row,) = rows(reach([run], ""), "picture")
    image = pixels(row["url"])
    P, _, T = run.state_grad_norms.shape
    assert image.shape == (T, P, 4)
    for p in range(P):
        for t in range(T):
            own = [v for v in run.state_grad_norms[p, :, t].tolist() if not math.isnan(v)]
            assert len(own) == (0 if t >= 5 else 2 if run.asked_steps[p] >= 31 else 3)
            pixel = image[T - 1 - t, p]  # step 1 at the bottom
            assert pixel[3] == (255 if own else 0)
            if own:
                want = colour(math.prod(own) ** (1 / len(own)))
                np.testing.assert_allclose(pixel[:3], want, atol=0.5 + 1e-6)


def test_the_scale_is_absolute_and_takes_what_lies_beyond():
    run = learning("rnn", 1, K=1, T=6)
    run.state_grad_norms[0, 0] = [0.0, 1e-300, 1e-12, 1e-8, 1.0, 1e30]
    figure = reach([run, learning("gru", 1, K=1, T=6)], "")
    image = pixels(rows(figure, "picture")[0]["url"])[::-1, 0, :3].tolist()
    assert image == [rgb(DECADES[0])] * 4 + [rgb(DECADES[-1])] * 2
    legend = {row["label"]: row["y"] for row in rows(figure, "decade")}
    assert list(legend) == ["≤ 10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "≥ 10⁰"]
    assert sorted(legend.values(), reverse=True) == list(legend.values())
    assert [row["label"] for row in rows(reach(three(50), ""), "decade")][-1] == "10⁰"
    faint = learning("rnn", 1, K=1, T=6)
    faint.state_grad_norms[:] = 1e-7
    assert pixels(rows(reach([faint], ""), "picture")[0]["url"])[0, 0, :3] == pytest.approx(
        colour(1e-7), abs=1
    )


def test_the_scale_only_grows_lighter():
    light = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(rgb, DECADES)]
    assert light == sorted(light)
    assert min(np.diff(light)) > 10


def test_the_table_holds_every_seeds_norm():
    runs = three(50, T=4, asked=10)
    table = reach(runs, "").table
    k = 0
    for run in runs:
        for p, step in enumerate(run.asked_steps.tolist()):
            for s, seed in enumerate(run.config.seeds):
                for t in range(4):
                    row = [table[name][k] for name in ("cell", "seed", "training_step", "t")]
                    assert row == [run.config.cell, seed, step, t + 1]
                    np.testing.assert_equal(table["norm"][k], run.state_grad_norms[p, s, t])
                    k += 1
    assert k == len(table["norm"])


def test_panels_share_both_axes():
    runs = [learning("rnn", 100, T=10), learning("lstm", 400, T=20), learning("gru", 0)]
    figure = reach(runs, "")
    assert_drawable(figure)
    first, second = rows(figure, "picture")
    assert (first["x"], first["x2"]) == (0.5, 100.5)
    assert (second["x"], second["x2"]) == (0.5, 400.5)
    assert first["y2"] - first["y"] == pytest.approx(0.5)
    assert second["y2"] - second["y"] == pytest.approx(1)
    assert [row["label"] for row in rows(figure, "name")] == ["RNN", "LSTM", "GRU"]
    assert "GRU: nothing yet." in figure.description
    for T in (3, 8):  # a record stands until the next one
        cells = reach([learning("lstm", 41, T=T, asked=20)], "").still["cells"]
        assert cells["x"][::T] == [0.5, 20.5, 40.5]
        assert cells["x2"][::T] == [20.5, 40.5, 60.5]


def test_what_a_pointer_is_told_lies_where_the_pixel_does():
    run = learning("lstm", 41, T=3, asked=20)
    run.state_grad_norms[1, :, 0], run.state_grad_norms[2, :, 2] = 0.0, np.nan
    figure = reach([run], "")
    cells = figure.still["cells"]
    assert len(cells["label"]) == 9
    assert cells["label"][3] == "LSTM, training step 21, t = 1: < 1e-38"
    assert cells["label"][8] == "LSTM, training step 41, t = 3: not a number"
    assert cells["y2"][0] == pytest.approx(1)
    assert cells["y"][2] == pytest.approx(0)
    assert not reach(three(2000), "").still["cells"]["label"], "too many for a pointer"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "< 1e-38"),  # float32 cannot hold less: nobody knows that it is 0
        ({"dtype": "float64"}, "exactly 0"),
        ({"truncate": 10}, "0, cut by truncation"),
        ({"truncate": 10, "dtype": "float64"}, "0, cut by truncation"),
    ],
)
def test_a_zero_is_called_what_it_is(more, said):
    run = learning("rnn", 1, T=3)
    run = replace(run, config=replace(run.config, **more))
    run.state_grad_norms[0] = [[0.0, 1e-3, np.nan], [0.0, 0.0, np.nan], [np.nan] * 3]
    figure = reach([run], "")
    labels = [label.partition(": ")[2] for label in figure.still["cells"]["label"]]
    assert labels == [said, f"{said} in 1 of 2 seeds", "not a number"]
    assert f"RNN, training step 1: {said} at t = 1, {said} in 1 of 2 seeds at t = 2." in figure.description


def test_the_specification_is_one_and_its_colours_are_the_themes():
    figures = [reach(three(n, T=T), "") for n, T in ((0, 5), (1, 5), (1500, 60))]
    for figure in figures:
        assert figure.spec == figures[0].spec
        assert_drawable(figure)
    (name,) = [layer for layer in figures[0].spec["layer"] if "color" in layer["encoding"]]
    scale = name["encoding"]["color"]["scale"]
    assert {cell: scale["domain"].index(cell) for cell in CELL} == CELL
    assert "#" not in json.dumps(figures[0].spec)
    assert_drawable(reach([], ""))


def test_every_seed_lost_is_said_and_not_painted():
    run = learning("rnn", 50, K=1, T=4, dies=(0, 1))
    figure = reach([run], "")
    assert not pixels(rows(figure, "picture")[0]["url"])[:, :, 3].any()
    assert "no seed is left" in figure.description
    assert np.isnan(log_means(run.state_grad_norms)).all()
