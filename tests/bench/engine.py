"""The engine beside what its user would write instead, in float64, D = H; both sides' results agree first."""

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.func import jacrev, vmap
from torch.nn.functional import linear

from rnnviz.engine import CELLS, bptt, init_params, jacobians, unroll
from rnnviz.engine.jacobians import step_jacobians
from tests.bench import timing
from tests.bench.timing import Row

compare = partial(timing.compare, clock=time.process_time)  # the engine runs on one thread

LSTM = CELLS["lstm"]
SHAPES = ((200, 1, 32), (200, 32, 64))  # T, B, H
STATUS = Path("/proc/self/status")


def rows() -> Iterator[Row]:
    yield from forward_rows()
    yield from backward_rows()
    yield from jacobian_rows()
    yield from memory_rows()


def setting(spec, shape):
    T, B, H = shape
    generator = torch.Generator().manual_seed(0)
    return init_params(spec, H, H), torch.randn(T, B, H, generator=generator, dtype=torch.float64)


def same(ours, theirs, tolerance=1e-9):
    """Both ways must give one result, or their times say nothing."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


def forward_rows():
    params, x = setting(LSTM, SHAPES[0])
    same(unroll(LSTM, params, x).gates, written_out(params, x)[2])
    yield compare(
        f"trace of lstm {SHAPES[0]}",
        "loop over LSTMCell's formulas",
        lambda: unroll(LSTM, params, x),
        lambda: written_out(params, x),
        1 / 1.5,
    )


@torch.no_grad()
def written_out(params, x):
    """An LSTM that hands out its gates, as one writes it from the documentation of ``nn.LSTMCell``."""
    W_ih, W_hh, b_ih, b_hh = (params[name] for name in ("W_ih", "W_hh", "b_ih", "b_hh"))
    h = c = x.new_zeros(x.shape[1], W_hh.shape[1])
    hs, cs, gates = [h], [c], {"i": [], "f": [], "g": [], "o": []}
    for x_t in x:
        i, f, g, o = (linear(x_t, W_ih, b_ih) + linear(h, W_hh, b_hh)).chunk(4, 1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        c = f * c + i * g
        h = o * torch.tanh(c)
        hs.append(h)
        cs.append(c)
        for name, gate in zip("ifgo", (i, f, g, o), strict=True):
            gates[name].append(gate)
    return torch.stack(hs), torch.stack(cs), {name: torch.stack(gate) for name, gate in gates.items()}


def backward_rows():
    for spec in CELLS.values():
        for shape in SHAPES:
            params, x = setting(spec, shape)
            loss = lambda h: h[-1].square().sum()

            def plain(spec=spec, params=params, x=x, loss=loss):
                leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
                state, hs = spec.zero_state(x, params["W_hh"].shape[1]), []
                for ax_t in spec.project(x, leaves).unbind(0):
                    state, _ = spec.step(ax_t, state, leaves)
                    hs.append(state["h"])
                loss(torch.stack(hs)).backward()
                return {name: leaf.grad for name, leaf in leaves.items()}

            ours = lambda spec=spec, params=params, x=x, loss=loss: bptt(spec, params, x, loss)
            same(ours().d_params, plain())
            yield compare(
                f"bptt of {spec.name} {shape}, all dL/ds_t",
                "the loop's backward, no dL/ds_t",
                ours,
                plain,
                1.5,
            )


def jacobian_rows():
    shape, H = (200, 1, 32), 32
    params, x = setting(LSTM, shape)
    trace = unroll(LSTM, params, x)
    ax = LSTM.project(x, params)[:, 0]
    before = torch.cat([trace.states["h"], trace.states["c"]], -1)[:, 0]  # (T+1,S)

    def step(s: Tensor, ax_t: Tensor) -> Tensor:
        after, _ = LSTM.step(ax_t[None], {"h": s[None, :H], "c": s[None, H:]}, params)
        return torch.cat([after["h"][0], after["c"][0]])

    def log_norms(products: Tensor) -> Tensor:
        return torch.linalg.matrix_norm(products, ord=2).log()

    def batched_grads():
        states = [before[0].clone().requires_grad_()]
        for ax_t in ax:
            states.append(step(states[-1], ax_t))
        eye = torch.eye(2 * H, dtype=x.dtype)
        found = torch.autograd.grad(states[-1], states, eye, is_grads_batched=True)
        return log_norms(torch.stack(found))

    def through_nudges():
        def end(nudges):
            s = before[0] + nudges[0]
            for ax_t, nudge in zip(ax, nudges[1:], strict=True):
                s = step(s, ax_t) + nudge
            return s

        return log_norms(jacrev(end)(torch.zeros_like(before)).transpose(0, 1))

    def steps_and_products():
        steps = vmap(jacrev(step))(before[:-1], ax)
        products = [torch.eye(2 * H, dtype=x.dtype)]
        for J in steps.flip(0):
            products.append(products[-1] @ J)
        return log_norms(torch.stack(products[::-1]))

    ours = lambda: jacobians(LSTM, params, trace)
    for name, theirs in {
        "autograd.grad, is_grads_batched": batched_grads,
        "jacrev through the run": through_nudges,
        "vmap(jacrev(step)), products": steps_and_products,
    }.items():
        same(ours().log_norms[:, 0], theirs())
        yield compare(f"ln‖∂s_T/∂s_t‖ of lstm {shape}, all t", name, ours, theirs)
    alone = lambda: step_jacobians(LSTM, params, trace)
    same(alone()[:, 0], vmap(jacrev(step))(before[:-1], ax))
    yield compare(
        f"step Jacobians of lstm {shape} alone",
        "vmap(jacrev(step))",
        alone,
        lambda: vmap(jacrev(step))(before[:-1], ax),
    )


def memory_rows():
    for T, B, H in ((50, 1, 32), (200, 1, 32), (200, 32, 64), (1000, 32, 64)):
        params, x = setting(LSTM, (T, B, H))
        kept, needed = unroll(LSTM, params, x).nbytes, recorded_bytes(T, B, H)
        yield memory_row(f"memory kept by a trace of lstm {(T, B, H)}", kept, needed, 1.2)
    if STATUS.exists():
        big = 400, 64, 128
        command = [sys.executable, "-m", "tests.bench.engine", *map(str, big)]
        peak, kept = map(
            int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        )
        yield memory_row(f"peak while unrolling lstm {big}", peak, kept, None)


def memory_row(what, ours, theirs, bound):
    ratio = ours / theirs
    return Row(what, "the numbers it records", ours / 1e6, theirs / 1e6, ratio, ratio, bound, "MB")


def recorded_bytes(T, B, H):
    return 8 * B * H * (2 * (T + 1) + 4 * T)


def peak_of_unroll(shape):
    """Bytes by which a run raises the largest resident size of this process, which should do nothing else."""
    params, x = setting(LSTM, shape)
    unroll(LSTM, params, x[:2])
    before = resident("VmRSS")
    trace = unroll(LSTM, params, x)
    return resident("VmHWM") - before, trace.nbytes


def resident(field):
    """A size that Linux keeps of this process; ``ru_maxrss`` would count the parent's from before exec."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    print(*peak_of_unroll(tuple(map(int, sys.argv[1:4]))))
