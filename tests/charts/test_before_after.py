"""The hidden state before and after training: every pixel, one scale, every answer beside what is wanted."""

import json

import numpy as np
import pytest
import torch

from rnnviz.charts.before_after import before_after
from rnnviz.charts.paint import paint
from rnnviz.charts.theme import DIVERGING
from rnnviz.engine import Trace
from tests.charts.test_learning import assert_drawable, rows
from tests.charts.test_strips import pixels

WHEN = ("before training", "after 400 steps")


def run(T, H, seed=0, size=0.9):
    h = torch.rand(T + 1, 1, H, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Trace(torch.zeros(T, 1, 2), {"h": (2 * h - 1) * size}, {})


def at_end(T, word):
    return [""] * (T - 1) + [word]


def draw(T=9, H=4, sizes=(0.9, 0.9), wanted=None, answers=None):
    runs = [run(T, H, k, size) for k, size in enumerate(sizes)]
    wanted = wanted or at_end(T, "0.63")
    answers = answers or (at_end(T, "0.98"), at_end(T, "0.61"))
    return runs, before_after(*runs, answers, wanted, WHEN, "seed 4")


@pytest.mark.parametrize(("sizes", "limit"), [((0.9, 0.2), 1.0), ((0.5, 40.0), None), ((70.0, 0.1), None)])
def test_both_strips_are_painted_on_one_scale(sizes, limit):
    runs, figure = draw(sizes=sizes)
    states = [r.states["h"][1:, 0].numpy() for r in runs]
    limit = limit or max(float(np.abs(h).max()) for h in states)
    for h, row in zip(states, rows(figure, "strip"), strict=True):
        image = pixels(row["url"])
        assert image.shape == (4, 9, 3)  # unit 1 on top, time to the right
        np.testing.assert_array_equal(image, paint(h.T, -limit, limit, DIVERGING))
        assert (row["x"], row["x2"]) == (0.5, 9.5)
    assert [row["label"] for row in rows(figure, "range")] == [f"4 units, ±{limit:.3g}"] * 2
    assert_drawable(figure)


def test_answers_stand_beneath_their_strip_at_the_step_of_what_is_wanted():
    _, figure = draw()
    (wanted,), answers, strips = rows(figure, "wanted"), rows(figure, "answer"), rows(figure, "strip")
    assert (wanted["x"], wanted["label"]) == (9, "0.63")
    assert [(row["x"], row["label"]) for row in answers] == [(9, "0.98"), (9, "0.61")]
    assert wanted["y"] < strips[0]["y"] < strips[0]["y2"] < answers[0]["y"] < strips[1]["y"]
    assert strips[1]["y2"] < answers[1]["y"]
    assert [row["label"] for row in rows(figure, "when")] == list(WHEN)
    assert figure.title == "The hidden state on the same sequence, before training and after 400 steps"
    assert (
        "At step 9, 0.63 is wanted; the answer is 0.98 before training and 0.61 after" in figure.description
    )


def test_answers_where_nothing_is_wanted_are_not_read():
    _, figure = draw(answers=(["0.5"] * 9, ["0.6"] * 9))
    assert [row["label"] for row in rows(figure, "answer")] == ["0.5", "0.6"]
    assert set(figure.table["answer_before"][: 8 * 4]) == {""}


def test_many_answers_are_thinned_and_the_caption_says_so():
    T = 170
    letters = ["·"] * 160 + list("dbahbfeghg")
    _, figure = draw(T, 3, wanted=letters, answers=(["·"] * T, letters))
    (wanted,) = rows(figure, "wanted")
    assert wanted["label"] == "dbahbfeghg"
    assert [row["label"] for row in rows(figure, "answer")] == ["·" * 10, "dbahbfeghg"]
    assert "answers written at 10 of 170 steps" in figure.caption
    assert list(figure.table["wanted"][::3]) == letters
    assert_drawable(figure)


def test_the_table_and_the_pointer_have_every_value():
    (before, after), figure = draw()
    for name, r in (("h_before", before), ("h_after", after)):
        want = [r.states["h"][t, 0, u].item() for t in range(1, 10) for u in range(4)]
        assert figure.table[name].tolist() == want
    labels = figure.still["cells"]["label"]
    assert len(labels) == 2 * 9 * 4
    assert labels[36 + 5] == f"after 400 steps, unit 2, step 2: {after.states['h'][2, 0, 1].item():.4g}"
    assert figure.still["cells"]["x"][36 + 5] == 1.5
    assert not draw(200, 64)[1].still["cells"]["label"]


def test_the_specification_is_one_and_not_a_number_is_seen():
    _, first = draw()
    runs, second = draw(60, 30)
    assert first.spec == second.spec
    assert "#" not in json.dumps(first.spec)
    runs[1].states["h"][7] = torch.nan
    runs[1].states["h"][8] = torch.inf
    figure = before_after(*runs, (at_end(60, "a"),) * 2, at_end(60, "a"), WHEN, "")
    image = pixels(rows(figure, "strip")[1]["url"])
    assert not image[:, 6].any()
    assert (image[:, 7] == image[0, 7]).all()
    assert_drawable(figure)
    assert_drawable(before_after(run(1, 1), run(1, 1), ([""], [""]), [""], WHEN, ""))
