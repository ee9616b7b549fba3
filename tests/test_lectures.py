"""The shipped runs: they are what their configurations train, and show what their captions say."""

from itertools import islice

import numpy as np
import pytest
import torch

from rnnviz import lectures, store
from rnnviz.charts.outcomes import first_success
from rnnviz.engine.train import train
from rnnviz.engine.validation import Validation
from rnnviz.keeper import FINISHED
from rnnviz.lectures import LECTURES
from rnnviz.run_config import run_id
from rnnviz.run_file import unpack
from rnnviz.runs import limits

each = pytest.mark.parametrize("lecture", LECTURES, ids=[lecture.title for lecture in LECTURES])
STEPS = 25  # updates that every machine rounds alike, within the tolerance


def shipped(lecture):
    return unpack((store.SHELF / f"{run_id(lecture.job.configs)}.safetensors").read_bytes())


@each
def test_a_lecture_s_file_is_its_run_and_nothing_else_is_there(lecture):
    kept = shipped(lecture)
    assert kept.status == FINISHED
    assert kept.configs == lecture.job.configs
    assert kept.owner == ""
    limits.check(lecture.job)
    for cell in kept.cells:
        learning = cell.learning
        assert learning.finished
        assert learning.solved or learning.step == learning.config.steps
        assert sorted(cell.weights)[0] == 0
        assert sorted(cell.weights)[-1] == learning.step
    named = {f"{run_id(lecture.job.configs)}.safetensors" for lecture in LECTURES}
    assert {path.name for path in store.SHELF.iterdir()} == named


@each
def test_training_it_here_begins_the_same(lecture):
    for cell in shipped(lecture).cells:
        records = list(islice(train(cell.learning.config), STEPS))
        want = torch.stack([record.loss for record in records]).numpy()
        np.testing.assert_allclose(cell.learning.loss[:STEPS], want, rtol=2e-3)
        untrained = records[0].untrained.numpy()
        np.testing.assert_allclose(cell.learning.metric[0], untrained, rtol=1e-3, atol=2e-3)


@each
def test_its_last_weights_have_its_last_figure(lecture):
    for cell in shipped(lecture).cells:
        figure = Validation(cell.learning.config).of(cell.weights[cell.learning.step])
        np.testing.assert_allclose(cell.learning.metric[-1], figure.numpy(), rtol=1e-3, atol=2e-3)


def firsts(lecture):
    """Of each cell, when each seed that ever did first reached the source's criterion."""
    found = {}
    for cell in shipped(lecture).cells:
        found[cell.learning.config.cell] = first_success(cell.learning, lecture.job.task.metric)
    return found


def last(lecture, name):
    return next(c.learning.metric[-1] for c in shipped(lecture).cells if c.learning.config.cell == name)


def test_the_captions_say_what_the_runs_show():
    adding, far, recall, chrono, order, reber, copy = LECTURES
    # The baseline of adding is 1/6, and a tenth more or less is no learning.
    found = firsts(adding)
    assert len(found["gru"]) == len(found["lstm"]) == 3
    assert max(found["gru"]) < min(found["lstm"])
    assert np.abs(last(adding, "rnn") - 1 / 6).max() < 1 / 60
    found = firsts(far)
    assert max(found["gru"]) <= max(firsts(adding)["gru"])
    assert 1.5 < np.mean(found["lstm"]) / np.mean(firsts(adding)["lstm"]) < 2.5
    assert np.abs(last(far, "rnn") - 1 / 6).max() < 1 / 60
    # Recall: chance is 1/8.
    assert max(*last(recall, "lstm"), *last(recall, "gru")) < 0.15
    assert sorted(last(recall, "rnn") > 0.2) == [False, True, True]
    found = firsts(chrono)
    assert len(found["lstm"]) == len(found["gru"]) == 3
    assert max(*found["lstm"], *found["gru"]) <= 500
    np.testing.assert_array_equal(last(chrono, "rnn"), last(recall, "rnn"))
    found = firsts(order)
    assert len(found["lstm"]) == len(found["gru"]) == 3
    assert max(*found["lstm"], *found["gru"]) <= 300
    assert last(order, "rnn").max() < 0.3
    assert all(len(steps) == 3 for steps in firsts(reber).values())
    both = [*last(copy, "lstm"), *last(copy, "gru")]
    assert 0.5 < min(both) < max(both) < 0.99
    assert max(last(copy, "lstm").min(), last(copy, "gru").min()) < min(
        last(copy, "lstm").max(), last(copy, "gru").max()
    )
    assert last(copy, "rnn").max() < 0.15


def test_the_command_writes_what_is_shipped(tmp_path, monkeypatch, capsys):
    """On two tiny jobs; a file that belongs to none goes."""
    tiny = [
        lectures.Lecture(f"tiny {k}", lectures._job("adding", 10, H=2, steps=60 + k), "Nothing.")
        for k in (0, 1)
    ]
    monkeypatch.setattr(lectures, "LECTURES", tiny)
    monkeypatch.setattr(lectures, "SHELF", tmp_path)
    (tmp_path / "old.safetensors").write_bytes(b"")
    threads = torch.get_num_threads()
    lectures.main()
    torch.set_num_threads(threads)
    assert capsys.readouterr().out.count("tiny") == 2
    assert {path.stem for path in tmp_path.iterdir()} == {run_id(each.job.configs) for each in tiny}
    for each_one in tiny:
        kept = unpack((tmp_path / f"{run_id(each_one.job.configs)}.safetensors").read_bytes())
        for cell in kept.cells:
            want = torch.stack([record.loss for record in train(cell.learning.config)]).numpy()
            np.testing.assert_array_equal(cell.learning.loss, want)
            assert list(cell.learning.asked_steps) == list(range(1, cell.learning.step + 1, 2))
