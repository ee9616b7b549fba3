"""One sequence of a task as a picture: what stands where, what is written, and what found no room."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch

from rnnviz.charts.example import example, is_one_hot, marks
from rnnviz.charts.paint import paint
from rnnviz.charts.theme import DIVERGING
from rnnviz.charts.words_along import ROOM, Word, fitting, rare
from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Metric, Task
from rnnviz.tasks import TASKS
from tests.charts.test_learning import assert_drawable, rows
from tests.charts.test_strips import pixels


def drawn(name, length=None, b=1):
    task = TASKS[name]
    batch = task.batch(3, length or task.lengths.default, torch.Generator().manual_seed(1))
    return task, batch, example(task, batch, b, "seed 4")


def made_up(x, symbols, targets, mask):
    """A task with one sequence, whatever stands in it."""
    x = torch.tensor(x, dtype=torch.float32)[:, None]
    batch = Batch(x, torch.zeros(len(x), 1), torch.tensor(mask, dtype=torch.float32)[:, None])
    task = Task(
        name="made-up",
        title="Made up",
        question="",
        source="",
        inputs=tuple(f"input{k}" for k in range(x.shape[2])),
        outputs=("y",),
        lengths=Lengths(1, 999, 9),
        steps=lambda length: length,
        draw=lambda *_: batch,
        loss=lambda *_: torch.zeros(()),
        metric=Metric("right", lambda *_: torch.zeros(()), True, 1.0),
        baseline=lambda _: Baseline(0.0, 0.0, ""),
        example=lambda *_: Example(tuple(symbols), tuple(targets), "Remember this."),
    )
    return example(task, batch, 0, "seed 4")


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_drawn_with_one_specification(name):
    task, batch, figure = drawn(name)
    shown = task.example(batch, 1)
    if name in list(TASKS)[::6]:
        assert_drawable(figure)
    assert figure.spec == drawn("adding", 5)[2].spec
    assert figure.title == shown.sentence
    assert shown.sentence in figure.description
    assert "#" not in json.dumps(figure.spec)
    T = len(figure.table["step"])
    assert not any(shown.steps[T:])
    assert not any(shown.targets[T:])
    assert figure.table["target"] == list(shown.targets[:T])
    assert figure.table["symbol"] == list(shown.steps[:T])
    for k, feature in enumerate(task.inputs):
        assert figure.table[f"input {feature}"].tolist() == batch.x[:T, 1, k].tolist()
    asked = [t for t in range(1, T + 1) if batch.mask[t - 1, 1]]
    assert [row["x"] for row in rows(figure, "asked")] == asked
    for row in rows(figure, "target"):
        assert row["x"] in asked
        assert row["label"] == shown.targets[row["x"] - 1]


def test_numbers_are_a_strip_and_the_marked_ones_stand_over_it():
    _, batch, figure = drawn("adding", 200)
    x = batch.x[:, 1].double().numpy()
    (strip,) = rows(figure, "strip")
    np.testing.assert_array_equal(pixels(strip["url"]), paint(x.T, -1, 1, DIVERGING))
    assert (strip["x"], strip["x2"]) == (0.5, 200.5)
    steps = (np.flatnonzero(x[:, 1]) + 1).tolist()
    assert len(steps) == 2
    written = rows(figure, "mark")
    assert [row["x"] for row in written] == steps
    assert [row["label"][:4] for row in written] == [f"{x[t - 1, 0]:.2f}" for t in steps]
    assert not rows(figure, "symbol")
    assert "symbols written at 2 of 200 steps" in figure.caption
    assert [row["label"] for row in rows(figure, "name")] == ["number", "marker", "wanted"]
    assert rows(figure, "range")[0]["label"] == "±1"


def test_symbols_stand_in_boxes_while_they_fit():
    _, _, figure = drawn("temporal_order", 60)
    assert len(rows(figure, "box")) == len(rows(figure, "symbol")) == 60
    assert not rows(figure, "strip")
    assert "written" not in figure.caption
    _, batch, long = drawn("temporal_order", 120)
    assert not rows(long, "box")
    x = batch.x[:, 1].double().numpy()
    np.testing.assert_array_equal(pixels(rows(long, "strip")[0]["url"]), paint(x.T, -1, 1, DIVERGING))
    few = {row["label"]: row["x"] for row in rows(long, "symbol")}
    assert few.keys() <= {"E", "B", "X", "Y"}
    assert all(figure_symbol in few for figure_symbol in ("E", "B"))


def test_a_block_to_copy_is_written_together():
    task, batch, figure = drawn("copy", 150)
    shown = task.example(batch, 1)
    assert "".join(shown.steps[:10]) in [row["label"] for row in rows(figure, "symbol")]
    (target,) = rows(figure, "target")
    assert target["label"] == "".join(shown.targets[-10:])
    assert "targets written at 10 of 170 steps" in figure.caption


def test_every_step_tells_a_pointer_what_stands_there():
    _, _, figure = drawn("adding", 10)
    told = rows(figure, "hover")
    assert [(row["x"], row["x2"]) for row in told] == [(k + 0.5, k + 1.5) for k in range(10)]
    assert all(
        f"step {k}: number 0." in row["label"] and "marker" in row["label"] for k, row in enumerate(told, 1)
    )
    assert "; wanted: " in told[-1]["label"]


def test_what_is_not_finite_or_large_is_drawn():
    figure = made_up([[np.nan, 3.0], [np.inf, -4.5]], ["a", "b"], ["", "c"], [0, 1])
    image = pixels(rows(figure, "strip")[0]["url"])
    assert image[0, 0].tolist() == [0, 0, 0]
    assert rows(figure, "range")[0]["label"] == "±4.5"
    assert_drawable(figure)
    assert_drawable(made_up([[0.0]], [""], [""], [0]))


def test_padding_behind_the_end_is_not_shown():
    figure = made_up([[1, 0], [0, 1], [0, 0]], ["a", "b", ""], ["", "c", ""], [0, 1, 0])
    assert figure.table["step"].tolist() == [1, 2]
    assert [row["x"] for row in rows(figure, "span")] == [0.5, 2.5]


def test_one_hot_and_marks_are_told_from_numbers():
    assert is_one_hot(np.eye(3))
    assert is_one_hot(np.zeros((2, 2)))
    assert not is_one_hot(np.ones((3, 2)))
    assert not is_one_hot(np.ones((3, 1)))
    assert not is_one_hot(np.full((3, 2), 0.5))
    numbers = np.linspace(0.1, 0.9, 8)
    assert marks(np.stack([numbers, np.eye(8)[2] - np.eye(8)[0]], 1)) == {1, 3}
    assert marks(np.eye(8)) == set()
    assert marks(np.eye(8)[:, :1]) == set()
    assert marks(np.stack([numbers, np.arange(8) % 2], 1)) == set(), "every second step is no mark"


def test_words_are_thinned_evenly_and_never_touch():
    words = ["−0.28"] * 100
    written = fitting(words, set())
    gaps = {b.steps[0] - a.steps[0] for a, b in pairwise(written)}
    assert len(gaps) == 1
    assert gaps.pop() * ROOM / 100 >= 5 * 8
    assert fitting(["ab", "", "c"], {3}) == [Word("ab", (1,), 1), Word("c", (3,), 3)]
    crowd = fitting([f"{k:03}" for k in range(300)], {1, 2, 299, 300})
    assert [word.steps for word in crowd] == [(1,), (2,), (299,), (300,)]
    at = [word.at for word in crowd]
    assert at[0] == 1
    assert at[-1] <= 300
    assert min(np.diff(at)) * ROOM / 300 >= 3 * 8


def test_rare_is_what_stands_seldom():
    assert rare(["·"] * 14 + ["a", "b"]) == {15, 16}
    assert rare(["a", "b", "c"] * 5) == set()
    assert rare(["a", "b", "c"] * 8 + ["d"], common=0.75) == set()
    assert rare(["a", ""] * 9 + ["d"]) == {19}
    assert rare([]) == set()
