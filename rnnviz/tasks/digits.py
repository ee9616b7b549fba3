"""Small handwritten digits, read row by row or pixel by pixel."""

from __future__ import annotations

from functools import cache
from math import log
from pathlib import Path

import numpy as np
import torch

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Task
from rnnviz.tasks.losses import cross_entropy
from rnnviz.tasks.metrics import accuracy
from rnnviz.tasks.text import asked

FILE = Path(__file__).parents[2] / "assets" / "digits.csv.gz"
TRAINED = 1437  # images to train on, the first ones; the last 360 are those to judge by
LEVELS = " ▁▂▃▄▅▆▇█"
NAMES = tuple("0123456789")

# A script has no file of ours; scikit-learn's own loader gives the very same numbers.
SCRIPT = f"""\
from functools import cache
from sklearn.datasets import load_digits

TRAINED = {TRAINED}

@cache
def digits():
    found = load_digits()
    return torch.tensor(found.images / 16, dtype=torch.float32), torch.tensor(found.target)
"""


@cache
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """All images in [0,1], (1797,8,8), and what they show, (1797)."""
    table = torch.from_numpy(np.loadtxt(FILE, delimiter=",", dtype=np.int64))
    return (table[:, :-1] / 16).float().reshape(-1, 8, 8), table[:, -1]


def read_out(which: torch.Tensor, steps: int) -> Batch:
    """Images as so many steps each, x (T,B,64/T); the digit asked at the end."""
    images, labels = digits()
    x = images[which].reshape(len(which), steps, -1).transpose(0, 1).contiguous()
    y, mask = torch.zeros(steps, len(which), dtype=torch.int64), torch.zeros(steps, len(which))
    y[-1], mask[-1] = labels[which], 1
    return Batch(x, y, mask)


def digit_rows(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """Training images from the top row to the bottom, x (8,B,8)."""
    return read_out(torch.randint(TRAINED, (batch_size,), generator=generator), 8)


def digit_pixels(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """Training images pixel by pixel, row after row, x (64,B,1)."""
    return read_out(torch.randint(TRAINED, (batch_size,), generator=generator), 64)


def judged(count: int, length: int, generator: torch.Generator) -> Batch:
    """All 360 images that are not trained on, whatever ``count``."""
    return read_out(torch.arange(TRAINED, len(digits()[1])), length)


def baseline(_: int) -> Baseline:
    """The training images' class frequencies; judged by the commonest class among the others."""
    labels = digits()[1]
    counts = labels[:TRAINED].bincount()
    loss = -sum(p * log(p) for p in (counts.double() / TRAINED).tolist())
    right = (labels[TRAINED:] == counts.argmax()).double().mean().item()
    return Baseline(loss, right, f"knows how frequent each digit is: {loss:.4f}, about ln 10")


def example(batch: Batch, b: int) -> Example:
    """One image; each step as bars as high as the pixels are dark."""
    steps = tuple("".join(LEVELS[round(8 * pixel)] for pixel in pixels) for pixels in batch.x[:, b].tolist())
    targets = asked(batch, b, NAMES)
    return Example(steps, targets, f"Put together, the {len(steps)} steps show a {targets[-1]}.")


SOURCE = (
    "scikit-learn's 8×8 digits: Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits, "
    "its 1,797 test images; {}. Trained on the first 1,437 and judged on the last 360; solved at 90 %, "
    "for want of a published figure"
)

DIGIT_ROWS = Task(
    name="digit_rows",
    title="Digits row by row",
    question="Which digit is it, read one row of eight pixels at a time?",
    source=SOURCE.format("read row by row"),
    inputs=tuple(f"column {k}" for k in range(1, 9)),
    outputs=NAMES,
    lengths=Lengths(8, 8, 8, "rows"),
    steps=lambda length: length,
    draw=digit_rows,
    loss=cross_entropy,
    metric=accuracy("images right", 0.9),
    baseline=baseline,
    example=example,
    validation=judged,
    parts=(SCRIPT,),
    caution="The last row alone tells some digits apart: a model without memory can beat the baseline.",
)

DIGIT_PIXELS = Task(
    name="digit_pixels",
    title="Digits pixel by pixel",
    question="Which digit is it, read one pixel at a time?",
    source=SOURCE.format("read pixel by pixel, as Le, Jaitly & Hinton 2015 read MNIST"),
    inputs=("pixel",),
    outputs=NAMES,
    lengths=Lengths(64, 64, 64, "pixels"),
    steps=lambda length: length,
    draw=digit_pixels,
    loss=cross_entropy,
    metric=accuracy("images right", 0.9),
    baseline=baseline,
    example=example,
    validation=judged,
    parts=(SCRIPT,),
    caution="These images are 8×8: results on 28×28 MNIST, 784 steps, are not comparable.",
)
