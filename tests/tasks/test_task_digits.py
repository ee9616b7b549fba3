"""The digits against scikit-learn's own loader."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from rnnviz.tasks import TASKS
from tests.tasks.drawing import draw, frequent

THEIRS = load_digits()
NAMES = ("digit_rows", "digit_pixels")


@pytest.mark.parametrize("name", NAMES)
def test_judged_images_are_the_last_360_and_trained_ones_the_others(name):
    task = TASKS[name]
    judged = task.fixed(10, task.lengths.default, torch.Generator())
    images = judged.x.transpose(0, 1).reshape(-1, 8, 8)
    np.testing.assert_array_equal(images.numpy(), THEIRS.images[1437:].astype(np.float32) / 16)
    np.testing.assert_array_equal(judged.y[-1].numpy(), THEIRS.target[1437:])
    assert judged.mask[-1].all()
    assert not judged.mask[:-1].any()

    batch = draw(name, count=20_000)
    images = batch.x.transpose(0, 1).reshape(-1, 64)
    where = {row.astype(np.float32).tobytes(): k for k, row in enumerate(THEIRS.data / 16)}
    found = np.array([where[row.tobytes()] for row in images.numpy()])
    assert found.max() == 1436
    assert found.min() == 0
    assert len(set(found)) > 1430
    np.testing.assert_array_equal(batch.y[-1].numpy(), THEIRS.target[found])
    assert frequent(torch.from_numpy(found < 700), 700 / 1437)


@pytest.mark.parametrize("name", NAMES)
def test_the_baseline_is_the_best_constant(name):
    task = TASKS[name]
    level = task.baseline(task.lengths.default)
    shares = np.bincount(THEIRS.target[:1437]) / 1437
    assert level.loss == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-9)
    assert level.loss == pytest.approx(math.log(10), abs=1e-3)
    commonest = shares.argmax()
    assert level.metric == pytest.approx((THEIRS.target[1437:] == commonest).mean(), rel=1e-9)
    judged = task.fixed(1, task.lengths.default, torch.Generator())
    output = torch.from_numpy(np.log(shares)).float().expand(*judged.y.shape, 10)
    assert task.metric.of(output, judged).item() == pytest.approx(level.metric, rel=1e-5)


def test_an_image_can_be_seen():
    task = TASKS["digit_rows"]
    judged = task.fixed(1, 8, torch.Generator())
    example = task.example(judged, 0)
    image = THEIRS.images[1437]
    for row, text in zip(image, example.steps, strict=True):
        assert [" ▁▂▃▄▅▆▇█".index(bar) for bar in text] == [round(pixel / 2) for pixel in row]
    assert example.targets == ("",) * 7 + (str(THEIRS.target[1437]),)
    pixels = TASKS["digit_pixels"].example(TASKS["digit_pixels"].fixed(1, 64, torch.Generator()), 0)
    assert "".join(pixels.steps) == "".join(example.steps)
