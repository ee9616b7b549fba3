"""Tasks whose answers are numbers: their draws against the sources, their baselines against chance."""

import numpy as np
import pytest
import torch

from rnnviz.tasks import TASKS
from tests.tasks.drawing import MANY, agrees, draw, frequent, uniform


def answers(batch):
    """What is asked at the end of each sequence, (B)."""
    assert (batch.mask.sum(0) == 1).all()
    return (batch.y[..., 0] * batch.mask).sum(0)


@pytest.mark.parametrize("length", [2, 7, 50])
def test_adding_marks_one_number_in_each_half(length):
    batch = draw("adding", length)
    u, marks = batch.x.unbind(-1)
    half = length // 2
    assert set(marks.unique().tolist()) <= {0.0, 1.0}
    assert (marks[:half].sum(0) == 1).all()
    assert (marks[half:].sum(0) == 1).all()
    assert uniform(marks.argmax(0), 0, half)
    assert uniform(marks[half:].argmax(0), 0, length - half)
    assert 0 <= u.min() < 0.01
    assert 0.99 < u.max() < 1
    assert agrees(u, 1 / 2)
    assert agrees(u.square(), 1 / 3)
    first, second = marks[:half].argmax(0), half + marks[half:].argmax(0)
    total = u.gather(0, first[None])[0] + u.gather(0, second[None])[0]
    torch.testing.assert_close(answers(batch), total)
    assert batch.mask[-1].all()


def test_addings_levels():
    task, batch = TASKS["adding"], draw("adding")
    y = answers(batch)
    level = task.baseline(50)
    assert level.loss == level.metric == pytest.approx(1 / 6)
    assert agrees((y - y.mean()).square(), level.loss)
    one = batch.x[:25].prod(-1).sum(0)  # the marked number of the first half, and the other's mean
    assert agrees((y - one - 0.5).square(), task.landmarks(50)[0][0])
    output = torch.ones(50, MANY, 1)
    assert task.metric.of(output, batch).item() == pytest.approx(1 / 6, rel=0.05)


@pytest.mark.parametrize("name", ["adding_1997", "multiplication"])
@pytest.mark.parametrize("length", [20, 35, 100])
def test_marks_of_1997(name, length):
    batch = draw(name, length)
    values, marks = batch.x.unbind(-1)
    last = batch.mask.argmax(0)
    assert uniform(last + 1, length, length + length // 10 + 1)
    beyond = torch.arange(len(values)).unsqueeze(1) > last
    assert not batch.x[beyond].any()
    assert (marks[0] == -1).all()
    assert (marks.gather(0, last[None]) == -1).all()
    assert ((marks == -1).sum(0) == 2).all()
    hits = (marks == 1).sum(0)
    assert set(hits.tolist()) == {1, 2}
    lost = hits == 1
    M = length // 2 - 1
    # X₁ on the first pair, or X₂ there where X₁ is not: of the M not marked yet it is one
    assert frequent(lost, 1 / 10 + 9 / 10 / M)
    neutral = 1.0 if name == "multiplication" else 0.0
    assert (values[0, lost] == neutral).all()
    assert (values[0, ~lost] != neutral).all()
    two = (marks[:, ~lost] == 1).nonzero()[:, 0]
    assert two.max() == M  # the first M unmarked ones reach to M, as one is marked
    early = (marks[1:10] == 1).sum(0)
    assert (early[~lost] >= 1).all()
    # each of the pairs 1 to 9 is first with 1/10, or second with 1/M unless it is first
    for k in (1, 5, 9):
        before = 10 - k - 1  # first marks that come later leave place k in its order
        p = 1 / 10 + (k / 10 * (1 / M) + before / 10 * (1 / M))
        assert frequent(marks[k] == 1, p)
    low = 0.0 if name == "multiplication" else -1.0
    inner = values[11:length]
    assert agrees(inner, (1 + low) / 2)
    assert agrees(inner.square(), 1 / 3)
    assert low <= inner.min() < low + 0.01
    assert 0.99 < inner.max() < 1


@pytest.mark.parametrize("length", [20, 50, 101])
def test_levels_of_1997(length):
    batch, level = draw("adding_1997", length, 4 * MANY), TASKS["adding_1997"].baseline(length)
    marked = [x[m == 1] for x, m in zip(batch.x[..., 0].T, batch.x[..., 1].T, strict=True)]
    y = answers(batch)
    wanted = torch.stack([0.5 + numbers.sum() / 4 for numbers in marked])
    torch.testing.assert_close(y, wanted)
    assert agrees(y, 0.5)
    assert agrees((y - y.mean()).square(), level.loss)
    assert frequent((y - 0.5).abs() < 0.04, level.metric)
    assert TASKS["adding_1997"].metric.of(torch.full_like(batch.y, 0.5), batch).item() == pytest.approx(
        ((y - 0.5).abs() < 0.04).double().mean().item(), abs=1e-6
    )


def test_without_lost_marks_1997_has_the_levels_people_quote():
    assert TASKS["adding_1997"].baseline(10**7).loss == pytest.approx((2 - 0.1) / 48, rel=1e-6)
    q = 0.1
    assert TASKS["multiplication"].baseline(10**7).loss == pytest.approx(
        # the variance of the mixture: within, and between the means 1/4 and 1/2
        (1 - q) * 7 / 144 + q / 12 + q * (1 - q) / 16,
        rel=1e-6,
    )


@pytest.mark.parametrize("length", [20, 51, 100])
def test_levels_of_1997_over_all_places_of_the_marks(length):
    losses, rights, means, squares = [], [], [], []
    for first in range(10):
        unmarked = [k for k in range(length) if k != first][: length // 2 - 1]
        for second in unmarked:
            two = 0 not in (first, second)
            # of the sum of two numbers, or of one, from U[-1,1]: its variance and its chance to be near 0
            losses.append((2 if two else 1) / 3 / 16)
            rights.append(1 - (1 - 0.08) ** 2 if two else 0.16)
            # of the product of two numbers, or of one, from U[0,1]
            means.append(1 / 4 if two else 1 / 2)
            squares.append(1 / 9 if two else 1 / 3)
    level = TASKS["adding_1997"].baseline(length)
    assert level.loss == pytest.approx(np.mean(losses), rel=1e-9)
    assert level.metric == pytest.approx(np.mean(rights), rel=1e-9)
    product = TASKS["multiplication"].baseline(length)
    assert product.loss == pytest.approx(np.mean(squares) - np.mean(means) ** 2, rel=1e-9)


@pytest.mark.parametrize("length", [20, 50, 101])
def test_levels_of_multiplication(length):
    batch, level = draw("multiplication", length, 4 * MANY), TASKS["multiplication"].baseline(length)
    marked = [x[m == 1] for x, m in zip(batch.x[..., 0].T, batch.x[..., 1].T, strict=True)]
    y = answers(batch)
    torch.testing.assert_close(y, torch.stack([numbers.prod() for numbers in marked]))
    assert agrees((y - y.mean()).square(), level.loss)
    q = 1 / 10 + 9 / 10 / (length // 2 - 1)
    mean = (1 - q) / 4 + q / 2
    assert agrees(y, mean)
    assert frequent((y - mean).abs() < 0.04, level.metric)


def test_marks_are_shown():
    batch = draw("adding_1997", 30, 300)
    task = TASKS["adding_1997"]
    lost = (batch.x[..., 1] == 1).sum(0) == 1
    for b in (int((~lost).nonzero()[0]), int(lost.nonzero()[0])):
        example = task.example(batch, b)
        numbers = [step[:-2] for step in example.steps if step.endswith("▲")]
        assert numbers == [
            f"{v:.2f}".replace("-", "−") for v in batch.x[:, b, 0][batch.x[:, b, 1] == 1].tolist()
        ]
        assert sum(step.endswith("▽") for step in example.steps) == 2
        answer = f"{answers(batch)[b].item():.2f}".replace("-", "−")
        assert example.targets[int(batch.mask[:, b].argmax())] == answer
        assert example.sentence.startswith(f"Marked: {' and '.join(numbers)}")
        assert example.sentence.endswith(f": {answer}.")
        assert ("lost" in example.sentence) == bool(lost[b])


def test_three_taps_levels():
    batch, task = draw("three_taps", 12), TASKS["three_taps"]
    x, y = batch.x[..., 0], batch.y[..., 0]
    assert batch.mask[:, 0].tolist() == [0, 0] + [1] * 10
    assert agrees(x, 0)
    assert agrees(x.square(), 1)
    for t in range(2, 12):
        torch.testing.assert_close(y[t], x[t] + x[t - 1] + x[t - 2])
    zero = torch.zeros_like(x)
    known = {3.0: zero, 2.0: x, 1.0: x + torch.cat([zero[:1], x[:-1]])}
    levels = {task.baseline(12).loss, *(loss for loss, _ in task.landmarks(12))}
    assert levels == set(known)
    for level, guess in known.items():
        # one step a sequence: neighbours share numbers
        assert agrees((y - guess)[7].square(), level)
        assert task.loss(guess.unsqueeze(-1), batch).item() == pytest.approx(level, rel=0.03)
    assert "remembers" in dict(task.landmarks(12))[1.0]
    assert "mean" in dict(task.landmarks(12))[3.0]
    example = task.example(batch, 0)
    assert example.sentence.count(" + ") + example.sentence.count(" − ") == 2
    assert example.targets[-1] in example.sentence


def test_sines_are_gerons():
    np.random.seed(42)
    freq1, freq2, offsets1, offsets2 = np.random.rand(4, 10_000, 1)
    time = np.linspace(0, 1, 51)
    series = 0.5 * np.sin((time - offsets1) * (freq1 * 10 + 10))
    series += 0.2 * np.sin((time - offsets2) * (freq2 * 20 + 20))
    series += 0.1 * (np.random.rand(10_000, 51) - 0.5)
    series = series.astype(np.float32)
    task = TASKS["sines"]
    judged = task.fixed(10, 50, torch.Generator())
    np.testing.assert_array_equal(judged.x[..., 0].numpy().T, series[7000:9000, :50])
    np.testing.assert_array_equal(judged.y[-1, :, 0].numpy(), series[7000:9000, 50])
    batch = draw("sines")
    rows = {row.tobytes(): k for k, row in enumerate(series[:, :50])}
    found = torch.tensor([rows[row.tobytes()] for row in batch.x[..., 0].T.contiguous().numpy()])
    assert 0 <= found.min() < 10
    assert 6990 < found.max() < 7000
    assert agrees(found.double(), 6999 / 2)
    np.testing.assert_array_equal(answers(batch).numpy(), series[found.numpy(), 50])


def test_sines_levels():
    task = TASKS["sines"]
    judged = task.fixed(10, 50, torch.Generator())
    last = judged.x[-1:].expand(50, -1, -1)
    assert task.metric.of(last, judged).item() == pytest.approx(task.baseline(50).metric, rel=1e-5)
    assert task.baseline(50).loss == pytest.approx(0.020211, abs=1e-6)  # as Géron prints it
    # least squares by the normal equations of all training series, which the generator reaches one by one
    from rnnviz.tasks.sines import series

    train = series()[:, :7000].double()
    A = torch.cat([train[:50], torch.ones(1, 7000, dtype=torch.float64)])
    weights = torch.linalg.solve(A @ A.T, A @ train[50])
    x = torch.cat([judged.x[..., 0].double(), torch.ones(1, 2000, dtype=torch.float64)])
    guess = (weights @ x).float().view(1, -1, 1).expand(50, -1, -1)
    linear, noise = (loss for loss, _ in task.landmarks(50))
    assert task.loss(guess, judged).item() == pytest.approx(linear, rel=1e-4)
    assert f"{linear:.4f}" in task.caution
    assert noise == pytest.approx((torch.arange(10**5).double() / 10**6).var().item(), rel=0.01)
    assert task.metric.reached(linear, task.metric.success)
