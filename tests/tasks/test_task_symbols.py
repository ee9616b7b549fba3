"""Tasks whose answer is a class: draws against the sources, baselines against chance."""

import math

import pytest
import torch

from rnnviz.tasks import TASKS
from tests.tasks.drawing import MANY, agrees, draw, frequent, uniform


def best_constant(y, classes):
    """Cross-entropy of the class frequencies, of each sequence, and the share of the commonest class."""
    shares = y.bincount(minlength=classes).double() / len(y)
    return -shares[y].log(), shares.max().item()


def check_guessing(name, classes):
    """A task of equally frequent classes, asked at the end."""
    batch, task = draw(name), TASKS[name]
    assert batch.mask[-1].all()
    assert not batch.mask[:-1].any()
    y, level = batch.y[-1], task.baseline(task.lengths.default)
    assert uniform(y, 0, classes)
    surprise, right = best_constant(y, classes)
    # the frequencies found are a little better than the true ones: classes - 1 degrees of freedom
    assert surprise.mean().item() == pytest.approx(level.loss, abs=10 * classes / MANY)
    assert right == pytest.approx(level.metric, abs=5 * math.sqrt(1 / classes / MANY))
    assert level.loss == pytest.approx(math.log(classes))
    assert level.metric == 1 / classes
    zeros = torch.zeros(*batch.y.shape, classes)
    assert task.loss(zeros, batch).item() == pytest.approx(level.loss, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "classes"), [("temporal_order", 4), ("latch", 2), ("recall", 8), ("parity", 2)]
)
def test_guessing(name, classes):
    check_guessing(name, classes)


@pytest.mark.parametrize("length", [1, 20])
def test_copy_is_symbols_blanks_delimiter_blanks(length):
    batch, task = draw("copy", length), TASKS["copy"]
    seen = batch.x.argmax(-1)
    assert (batch.x.sum(-1) == 1).all()
    assert uniform(seen[:10], 0, 8)
    assert (seen[10 : 10 + length - 1] == 8).all()
    assert (seen[10 + length - 1] == 9).all()
    assert (seen[10 + length :] == 8).all()
    assert len(seen) == length + 20
    assert torch.equal(batch.y[-10:], seen[:10])
    assert (batch.y[:-10] == 8).all()
    assert batch.mask.all()
    # blanks for certain, then any of the eight
    output = torch.full((length + 20, MANY, 9), -80.0)
    output[:-10, :, 8] = 0
    output[-10:, :, :8] = 0
    level = task.baseline(length)
    assert task.loss(output, batch).item() == pytest.approx(level.loss, rel=1e-5)
    assert level.loss == pytest.approx(10 * math.log(8) / (length + 20))
    output[-10:, :, 3] = 1
    assert frequent(batch.y[-10:] == 3, level.metric)
    assert task.metric.of(output, batch).item() == pytest.approx(
        (batch.y[-10:] == 3).double().mean().item(), rel=1e-4
    )


def test_copy_counts_recalled_symbols_only():
    task, batch = TASKS["copy"], draw("copy", 5, 40)
    output = torch.nn.functional.one_hot(batch.y, 9).float()
    output[:-10] = output[:-10].roll(1, -1)  # wrong blanks
    output[-3:] = output[-3:].roll(1, -1)
    assert task.metric.of(output, batch).item() == pytest.approx(0.7)
    example = task.example(batch, 0)
    assert example.steps[10:] == ("·",) * 4 + ("▸",) + ("·",) * 10
    assert example.targets[-10:] == example.steps[:10]
    assert "".join(example.steps[:10]) in example.sentence


@pytest.mark.parametrize("length", [10, 23, 50])
def test_temporal_order_in_the_sources_ranges(length):
    batch = draw("temporal_order", length)
    seen = batch.x.argmax(-1)
    assert (batch.x.sum(-1) == 1).all()
    assert (seen[0] == 6).all()
    assert (seen[-1] == 7).all()
    relevant = (seen == 4) | (seen == 5)
    assert (relevant.sum(0) == 2).all()
    t1 = relevant.int().argmax(0)
    t2 = length - 1 - relevant.flip(0).int().argmax(0)
    within1 = [t for t in range(length) if 0.1 * length <= t < 0.2 * length - 1e-9]
    within2 = [t for t in range(length) if 0.5 * length <= t < 0.6 * length - 1e-9]
    assert uniform(t1, within1[0], within1[-1] + 1)
    assert uniform(t2, within2[0], within2[-1] + 1)
    first, second = seen.gather(0, t1[None])[0] - 4, seen.gather(0, t2[None])[0] - 4
    names = [TASKS["temporal_order"].outputs[k] for k in batch.y[-1].tolist()]
    assert names == ["XY"[a] + "XY"[b] for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    distractors = seen[1:-1][~relevant[1:-1]]
    assert uniform(distractors, 0, 4)


def test_temporal_order_half_known_is_ln_2():
    batch, task = draw("temporal_order"), TASKS["temporal_order"]
    output = torch.full((50, MANY, 4), -80.0)
    knows_x = batch.y[-1] < 2  # the first symbol
    output[-1, knows_x, :2] = 0
    output[-1, ~knows_x, 2:] = 0
    assert task.loss(output, batch).item() == pytest.approx(task.landmarks(50)[0][0], rel=1e-5)
    example = task.example(batch, 0)
    t1, t2 = (t for t, step in enumerate(example.steps, 1) if step in ("X", "Y"))
    a, b = example.steps[t1 - 1], example.steps[t2 - 1]
    assert example.sentence == f"{a} at step {t1}, {b} at step {t2}. Answer at the end: {a}{b}."


def test_latch_has_three_values_and_noise_of_variance_a_fifth():
    batch = draw("latch", 30)
    x, sign = batch.x[..., 0], 2.0 * batch.y[-1] - 1
    assert all(torch.equal(x[t], sign) for t in range(3))
    noise = x[3:]
    assert agrees(noise, 0)
    assert agrees(noise.square(), 0.2)
    assert agrees(noise.pow(4), 3 * 0.2**2)  # Gaussian
    assert agrees(noise * sign, 0)
    assert "guess" in TASKS["latch"].caution.lower()
    example = TASKS["latch"].example(batch, 0)
    assert example.targets[-1] == {1.0: "+1", -1.0: "−1"}[x[0, 0].item()]
    assert example.targets[-1] in example.sentence


def test_recall_asks_for_the_first_symbol_at_the_cue():
    batch = draw("recall", 30)
    seen = batch.x.argmax(-1)
    assert (batch.x.sum(-1) == 1).all()
    assert len(seen) == 32
    assert uniform(seen[0], 0, 8)
    assert uniform(seen[1:-1], 8, 12)
    assert (seen[-1] == 12).all()
    assert torch.equal(batch.y[-1], seen[0])
    example = TASKS["recall"].example(batch, 0)
    assert example.targets[-1] == example.steps[0]
    assert f" {example.steps[0]}," in example.sentence


def test_parity_is_counted():
    end, running = draw("parity", 9), draw("parity_running", 9)
    for batch in (end, running):
        bits = batch.x[..., 0]
        assert set(bits.unique().tolist()) == {0.0, 1.0}
        assert frequent(bits == 1, 1 / 2)
        for t in range(9):
            assert torch.equal(batch.y[t].float(), bits[: t + 1].sum(0).fmod(2))
    assert running.mask.all()
    assert end.mask.sum(1).tolist() == [0.0] * 8 + [MANY]
    example = TASKS["parity"].example(end, 0)
    ones = example.steps.count("1")
    assert example.sentence == f"{ones} of 9 bits are 1, and that is {['even', 'odd'][ones % 2]}."
    assert example.targets == ("",) * 8 + (["even", "odd"][ones % 2],)


@pytest.mark.parametrize("length", [2, 20])
def test_running_parity_from_the_last_bit(length):
    batch, task = draw("parity_running", length), TASKS["parity_running"]
    level = task.baseline(length)
    bits = batch.x[..., 0].long()
    same = (bits == batch.y).double().mean(0)  # of each sequence
    assert agrees(same, level.metric)
    p = same.mean().item()
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert level.loss == pytest.approx(entropy, abs=0.01)
    odds = math.log(level.metric / (1 - level.metric))
    output = odds * torch.nn.functional.one_hot(bits, 2)
    surprise = -output.log_softmax(-1).gather(-1, batch.y.unsqueeze(-1)).squeeze(-1).mean(0)
    assert agrees(surprise, level.loss)
    assert task.metric.of(output, batch).item() == pytest.approx(p, abs=1e-5)
