"""The cliff's surface with its gradients beside what one would write instead, and a repaint of its page."""

import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch.func import grad, vmap

from rnnviz.cliff import POINTS, Descent, Unit, descend, ends_on, surface
from rnnviz.ui import cliff_cached
from rnnviz.ui.cliff_controls import LRS, STARTS, WINDOWS, Asked
from tests.bench import timing
from tests.bench.timing import Row

compare = partial(timing.compare, clock=time.process_time)
UNIT, BOX = Unit(), WINDOWS["sigmoid"]["usual"]
SAMPLE = 100  # points of the loop: all of them would take seconds a round


def rows() -> Iterator[Row]:
    ours = lambda: surface(ends_on(UNIT, BOX), UNIT.target, BOX)
    ground = ours()
    w, b = (torch.tensor(ground.table[name]) for name in "wb")
    kept = torch.linspace(0, len(w) - 1, SAMPLE).long()
    mine = torch.stack([torch.tensor(ground.table[name]) for name in ("dE_dw", "dE_db")])
    # Where the wall amplifies rounding, two ways agree less; the sample is judged relative to its gradients.
    for theirs, places in ((by_loop(w[kept], b[kept]), kept), (by_vmap(w, b), slice(None))):
        torch.testing.assert_close(mine[:, places], theirs, rtol=1e-6, atol=1e-9)
    what = f"surface and gradients, {POINTS}×{POINTS}, T={UNIT.steps}"
    loop = compare(what, "", ours, lambda: by_loop(w[kept], b[kept]))
    share = len(w) / SAMPLE
    against = f"loop of autograd.grad ({SAMPLE} points × {share:.0f})"
    yield replace(
        loop, against=against, theirs=loop.theirs * share, low=loop.low / share, high=loop.high / share
    )
    yield compare(what, "torch.func vmap(grad)", ours, lambda: by_vmap(w, b))
    yield ways_row()
    yield slider_row()


def error(w, b):
    """E as the paper writes it."""
    x = torch.full_like(w, UNIT.x0)
    for _ in range(UNIT.steps):
        x = w * torch.sigmoid(x) + b
    return (torch.sigmoid(x) - UNIT.target) ** 2


def by_loop(w, b):
    found = []
    for pair in zip(w, b, strict=True):
        leaves = [value.clone().requires_grad_() for value in pair]
        found.append(torch.stack(torch.autograd.grad(error(*leaves), leaves)))
    return torch.stack(found, 1)


def by_vmap(w, b):
    return torch.stack(vmap(grad(error, argnums=(0, 1)))(w, b))


def ways_row() -> Row:
    """All of the page's learning rates, each without and with clipping, beside one after another."""
    start = STARTS["sigmoid"]
    all_of_them = [Descent(*start, lr, clip) for lr in LRS for clip in (None, 1.0)]
    return compare(
        f"{len(all_of_them)} descents of 20 updates at once",
        "one after another",
        lambda: descend(UNIT, all_of_them, 20),
        lambda: [descend(UNIT, [one], 20) for one in all_of_them],
    )


def slider_row() -> Row:
    """What one step of the learning rate costs the server, drawing and packing included."""
    start, times = STARTS["sigmoid"], []
    gc.collect()
    gc.freeze()  # as the app does
    for k in range(25):
        asked = Asked(UNIT, BOX, start, LRS[k % len(LRS)], 1.0, 60 - k // len(LRS))
        began = time.process_time()
        cliff_cached.ways(asked)
        cliff_cached.scene(asked, False).figure.to_json()
        cliff_cached.contour(asked)
        times.append(1e3 * (time.process_time() - began))
    middle = sorted(times[5:])[10]
    return Row("a step of the cliff's learning rate, on the server", "", middle, 0, 0, 0, asked="about 30 ms")
