"""∂h_T/∂h_t and ‖∂L/∂h_t‖ for all t beside autograd, and how their time and memory grow with T and H."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear

from rnnviz.engine import CELLS, bptt, end_products, init_params, lyapunov, unroll
from tests.bench import timing
from tests.bench.timing import Row

compare = partial(timing.compare, clock=time.process_time)  # the engine runs on one thread

LSTM = CELLS["lstm"]
LENGTHS, SIZES = (50, 100, 200, 500, 1000, 2000), (8, 16, 32, 64, 128)


def setting(T: int, H: int, B: int = 1):
    generator = torch.Generator().manual_seed(0)
    params = init_params(LSTM, 1, H)
    x = torch.randn(T, B, 1, generator=generator, dtype=torch.float64)
    return params, x, unroll(LSTM, params, x)


def rows() -> Iterator[Row]:
    yield from product_rows(200, 32, batched=5, single=30)
    yield from product_rows(1000, 64)
    yield norm_row()
    yield exponent_row()
    yield from growth_rows()


def states_of(params, x) -> list[Tensor]:
    """h_0 … h_T of ``LSTMCell``'s formulas, with a graph behind them."""
    H = params["W_hh"].shape[1]
    h, c = (x.new_zeros(1, H).requires_grad_() for _ in range(2))
    states = [h]
    for x_t in x:
        gates = linear(x_t, params["W_ih"], params["b_ih"]) + linear(h, params["W_hh"], params["b_hh"])
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    return states


def product_rows(T: int, H: int, batched: float | None = None, single: float | None = None) -> Iterator[Row]:
    params, x, trace = setting(T, H)

    ours = partial(end_products, LSTM, params, trace)
    found = ours()
    product = found.mantissa["h"][:, 0] * found.log_scale.exp()[:, :, None]

    def at_once() -> Tensor:
        states = states_of(params, x)
        eye = torch.eye(H, dtype=x.dtype).unsqueeze(1)
        return torch.stack(torch.autograd.grad(states[-1], states, eye, is_grads_batched=True))[:, :, 0]

    def one_by_one() -> Tensor:
        states = states_of(params, x)
        calls = [torch.autograd.grad(states[-1][0, k], states, retain_graph=True) for k in range(H)]
        return torch.stack([torch.stack(call) for call in calls], 2)[:, 0]

    # Autograd's ∂h_T/∂h_t lets h_t act through the gates only, as does ours: c_t is held.
    torch.testing.assert_close(product, at_once(), rtol=1e-9, atol=1e-12)
    what = f"∂h_T/∂h_t for all t, LSTM, T = {T}, H = {H}"
    row = compare(what, "autograd, is_grads_batched", ours, at_once, batched and 1 / batched)
    yield row if batched else replace(row, asked="< 100 ms, or a tenth")
    if single:
        torch.testing.assert_close(product, one_by_one(), rtol=1e-9, atol=1e-12)
        yield compare(what, "H backward calls", ours, one_by_one, 1 / single)


def norm_row() -> Row:
    params, x, _ = setting(200, 32)
    loss = lambda h: h[-1].sum()

    def kept() -> tuple[Tensor, dict[str, Tensor]]:
        leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
        states = states_of(leaves, x)
        for h in states:
            h.retain_grad()
        states[-1].sum().backward()
        return torch.stack([h.grad.norm() for h in states]), {name: v.grad for name, v in leaves.items()}

    def ours() -> tuple[Tensor, dict[str, Tensor]]:
        grads = bptt(LSTM, params, x, loss)
        return grads.log_norms("h").exp(), grads.d_params

    torch.testing.assert_close(ours(), kept(), rtol=1e-9, atol=1e-12)
    return compare(
        "‖∂L/∂h_t‖ for all t, and the parameters' gradient, (200,1,32)",
        "a loop over LSTMCell's formulas, with retain_grad",
        ours,
        kept,
        1 / 2,
    )


def exponent_row() -> Row:
    params, x, _ = setting(200, 32)
    return compare(
        "32 Lyapunov exponents, LSTM, (200,1,32), QR every 5 steps",
        "QR every step",
        lambda: lyapunov(LSTM, params, x, 32, every=5),
        lambda: lyapunov(LSTM, params, x, 32),
    )


def growth_rows() -> Iterator[Row]:
    """Medians over T at H = 32 and over H at T = 200, with the exponent of the power that fits them best."""
    for name, run in (("bptt", gradients), ("end_products", products)):
        for letter, values, at in (("T", LENGTHS, lambda v: (v, 32)), ("H", SIZES, lambda v: (200, v))):
            times, sizes = [], []
            for value in values:
                params, x, trace = setting(*at(value))
                times.append(median_ms(partial(run, params, x, trace)))
                sizes.append(kept_bytes(run(params, x, trace)))
            spread = ", ".join(f"{value}: {ms:.2f}" for value, ms in zip(values, times, strict=True))
            power, memory = exponent(values, times), exponent(values, sizes)
            yield Row(
                f"{name}, LSTM, ms over {letter} ({spread}); numbers kept ~ {letter}^{memory:.2f}",
                f"time ~ {letter}^{power:.2f}",
                times[-1],
                times[0],
                0.0,
                0.0,
            )


def gradients(params, x, trace):
    return bptt(LSTM, params, x, lambda h: h[-1].sum())


def products(params, x, trace):
    return end_products(LSTM, params, trace)


def median_ms(run, count: int = 5) -> float:
    run()
    samples = []
    for _ in range(count):
        start = time.process_time()
        run()
        samples.append(1e3 * (time.process_time() - start))
    return float(np.median(samples))


def kept_bytes(record) -> int:
    """Bytes of all that a record keeps alive."""
    kept: dict[int, int] = {}

    def walk(value) -> None:
        if isinstance(value, Tensor):
            kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        elif isinstance(value, dict | tuple):
            for part in value.values() if isinstance(value, dict) else value:
                walk(part)
        elif hasattr(value, "__dataclass_fields__"):
            walk(vars(value))

    walk(record)
    return sum(kept.values())


def exponent(values, measured) -> float:
    """The slope of the best straight line through both logarithms."""
    return float(np.polyfit(np.log(values), np.log(measured), 1)[0])
