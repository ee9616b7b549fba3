"""The trainer itself beside the loop that one writes with torch.nn: sequences drawn, losses, updates.

Adding problem, float32, default Adam, no clipping, no validation on either side; both losses agree first.
"""

import time
from collections.abc import Iterator
from functools import partial

import torch
from torch import nn

from rnnviz.engine import CELLS, init_params, to_torch
from rnnviz.engine.stack import stream
from rnnviz.engine.train import TrainConfig, train
from rnnviz.tasks import TASKS
from tests.bench import timing
from tests.bench.kernels import ALL_BOUND, SEEDS, STEP_BOUNDS, B, H, T
from tests.bench.timing import Row

compare = partial(timing.compare, clock=time.process_time)

TASK, RATE, NEVER = TASKS["adding"], 1e-3, 10**9


def ours(cell):
    config = TrainConfig(
        task=TASK.name,
        length=T,
        cell=cell,
        hidden_size=H,
        seeds=tuple(range(SEEDS)),
        steps=NEVER,
        batch_size=B,
        lr=RATE,
        clip=None,
        eval_every=NEVER,
    )
    return train(config)


class Loop:
    """A layer, a readout, an Adam and a stream of sequences for each seed, one after another."""

    def __init__(self, cell, readouts):
        self.models = []
        for seed, (weight, bias) in enumerate(readouts):
            layer = to_torch(CELLS[cell], init_params(CELLS[cell], 2, H, seed, dtype=torch.float32))
            readout = nn.Linear(H, 1)
            with torch.no_grad():
                readout.weight.copy_(weight)
                readout.bias.copy_(bias)
            adam = torch.optim.Adam([*layer.parameters(), *readout.parameters()], RATE)
            self.models.append((layer, readout, adam, stream(seed, "data")))

    def step(self):
        losses = []
        for layer, readout, adam, rng in self.models:
            batch = TASK.batch(B, T, rng)
            adam.zero_grad()
            loss = (readout(layer(batch.x)[0][-1]) - batch.y[-1]).square().mean()
            loss.backward()
            adam.step()
            losses.append(loss.detach())
        return torch.stack(losses).double()


def rows() -> Iterator[Row]:
    pairs = {}
    for cell in CELLS:
        run = ours(cell)
        with torch.random.fork_rng():
            loop = Loop(cell, list(zip(run.params["W_hy"].clone(), run.params["b_y"].clone(), strict=True)))
        for _ in range(5):
            torch.testing.assert_close(next(run).loss, loop.step(), rtol=1e-3, atol=1e-5)
        pairs[cell] = run, loop
    for cell, (run, loop) in pairs.items():
        what = f"trainer, an update of {SEEDS} × {cell}, T={T} B={B} H={H}"
        yield compare(what, "nn, one after another", partial(next, run), loop.step, STEP_BOUNDS[cell])
    yield compare(
        f"  {len(pairs)} cells × {SEEDS}",
        "the same",
        lambda: [next(run) for run, _ in pairs.values()],
        lambda: [loop.step() for _, loop in pairs.values()],
        ALL_BOUND,
    )
