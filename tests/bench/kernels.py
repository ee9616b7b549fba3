"""The cells' own kernels beside torch.nn: a trace of everything, and a training step of many models at once.

Both sides' results agree first.
"""

import time
from collections.abc import Iterator
from functools import partial

import torch
from torch import nn

from rnnviz.engine import CELLS, init_params, to_torch, unroll
from rnnviz.engine.kernels import kernel_of
from tests.bench import timing
from tests.bench.timing import Row

compare = partial(timing.compare, clock=time.process_time)  # the engine runs on one thread

SHAPES = ((200, 1, 32), (200, 32, 64), (1000, 32, 128))  # T, B, H = D
TRACE_BOUND, FLOAT32_BOUND = 1.05, 2.6
T, B, H, D, SEEDS = 100, 32, 32, 2, 8
STEP_BOUNDS = {"rnn": 0.2, "lstm": 1.0, "gru": 0.2}
ALL_BOUND = 0.25
RATE = 1e-3


def rows() -> Iterator[Row]:
    yield from trace_rows()
    yield from training_rows()


def trace_rows() -> Iterator[Row]:
    for spec in CELLS.values():
        for shape in SHAPES:
            yield trace_row(spec, shape, torch.float64, TRACE_BOUND, 1e-9)
    yield trace_row(CELLS["lstm"], SHAPES[0], torch.float32, FLOAT32_BOUND, 1e-5)


def trace_row(spec, shape, dtype, bound, tolerance):
    T, B, H = shape
    params = init_params(spec, H, H, dtype=dtype)
    x = torch.randn(T, B, H, generator=torch.Generator().manual_seed(0), dtype=dtype)
    module = to_torch(spec, params)

    def layer():
        with torch.no_grad():
            return module(x)

    ours = partial(unroll, spec, params, x)
    torch.testing.assert_close(ours().states["h"][1:], layer()[0], rtol=0, atol=tolerance)
    kind = "" if dtype == torch.float64 else " float32"
    against = f"nn.{type(module).__name__}{kind} without gates"
    return compare(f"trace of {spec.name}{kind} {shape}", against, ours, layer, bound)


class Stack:
    """K models as one: our kernel, a stacked readout of the last h, one fused Adam."""

    def __init__(self, spec, layers, readouts):
        self.kernel = kernel_of(spec)
        self.params = {
            name: torch.stack([getattr(layer, key).detach() for layer in layers]).requires_grad_()
            for name, key in (
                ("W_ih", "weight_ih_l0"),
                ("W_hh", "weight_hh_l0"),
                ("b_ih", "bias_ih_l0"),
                ("b_hh", "bias_hh_l0"),
            )
        }
        self.weight = torch.stack([readout.weight.detach().T for readout in readouts]).requires_grad_()
        self.bias = torch.stack([readout.bias.detach()[None] for readout in readouts]).requires_grad_()
        self.adam = torch.optim.Adam([*self.params.values(), self.weight, self.bias], RATE, fused=True)
        self.d_h = torch.zeros(T, len(layers), B, H)

    def step(self, x, y):
        """Losses (K,) of x (T,K,B,D) against y (K,B,1), and an update of every model."""
        last = self.kernel.forward(self.params, x)["h"][-1].detach().requires_grad_()
        losses = (torch.baddbmm(self.bias, last, self.weight) - y).square().mean((1, 2))
        self.d_h[-1], self.weight.grad, self.bias.grad = torch.autograd.grad(
            losses.sum(), [last, self.weight, self.bias]
        )
        for name, d in self.kernel.backward(self.d_h).d_params.items():
            self.params[name].grad = d
        self.adam.step()
        return losses.detach()


class Loop:
    """The same models as one writes them: a layer, a readout and an Adam each, one after another."""

    def __init__(self, layers, readouts):
        self.models = list(zip(layers, readouts, strict=True))
        self.adams = [torch.optim.Adam([*a.parameters(), *b.parameters()], RATE) for a, b in self.models]

    def step(self, x, y):
        losses = []
        for k, ((layer, readout), adam) in enumerate(zip(self.models, self.adams, strict=True)):
            adam.zero_grad()
            loss = (readout(layer(x[:, k])[0][-1]) - y[k]).square().mean()
            loss.backward()
            adam.step()
            losses.append(loss.detach())
        return torch.stack(losses)


def both(spec):
    """The same seeded models, stacked and apart."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [to_torch(spec, init_params(spec, D, H, seed=k, dtype=torch.float32)) for k in range(SEEDS)]
        readouts = [nn.Linear(H, 1) for _ in range(SEEDS)]
    return Stack(spec, layers, readouts), Loop(layers, readouts)


def training_rows() -> Iterator[Row]:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(*shape, generator=generator) for shape in ((T, SEEDS, B, D), (SEEDS, B, 1)))
    pairs = {name: both(spec) for name, spec in CELLS.items()}
    for stack, loop in pairs.values():
        for _ in range(10):
            torch.testing.assert_close(stack.step(x, y), loop.step(x, y), rtol=0, atol=1e-5)
    shape = f"T={T} B={B} H={H}"
    for name, (stack, loop) in pairs.items():
        yield compare(
            f"training step of {SEEDS} × {name}, {shape}",
            "nn, one after another",
            partial(stack.step, x, y),
            partial(loop.step, x, y),
            STEP_BOUNDS[name],
        )
    yield compare(
        f"  {len(pairs)} cells × {SEEDS}",
        "nn, one after another",
        lambda: [stack.step(x, y) for stack, _ in pairs.values()],
        lambda: [loop.step(x, y) for _, loop in pairs.values()],
        ALL_BOUND,
    )
