"""What the engine is judged by: the cells in plain NumPy, written from their papers' equations.

Nothing here calls the engine's mathematics. Derivatives come from the complex step, Im f(p + iε)/ε,
which has no difference in it and so no cancellation: it is exact to rounding.
"""

from itertools import product

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import nn

from rnnviz.engine import CELLS

# The same examples on every machine; no deadline, since a shared core can stall for a second.
quick = settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

# Every cell under every combination of its options.
VARIANTS = [
    spec.with_options(**dict(zip(dict(spec.choices), values, strict=True)))
    for spec in CELLS.values()
    for values in product(*dict(spec.choices).values())
]


def name_of(spec):
    return "-".join([spec.name, *dict(spec.options).values()])


MODULES = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
IN_TORCH = [
    spec
    for spec in VARIANTS
    if dict(spec.options).get("activation") not in ("identity", "sigmoid")
    and "connection" not in dict(spec.options)
    and dict(spec.options).get("reset", "after") == "after"
    and dict(spec.options).get("z", "keeps") == "keeps"
]

small = st.integers(1, 4)
steps = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(steps, small, small, small)  # T, B, D, H


def assert_close(got, want, tolerance=1e-12):
    """Equal to rounding, relative to the largest number wanted where that exceeds 1."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * max(1.0, np.abs(want).max(initial=0)))


def draw(seed, *shape, dtype=torch.float64):
    """Normal numbers from their own generator."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def random_params(spec, D, H, seed, dtype=torch.float64):
    """Normal parameters, both biases unlike each other, without the engine's own initialisation."""
    rows = len(spec.blocks) * H
    flat = draw(seed, rows * (D + H + 2), dtype=dtype)
    W_ih, W_hh, b_ih, b_hh = flat.split([rows * D, rows * H, rows, rows])
    return {"W_ih": W_ih.view(rows, D), "W_hh": W_hh.view(rows, H), "b_ih": b_ih, "b_hh": b_hh}


def random_state(spec, B, H, seed, dtype=torch.float64):
    return {name: draw(seed + 1 + k, B, H, dtype=dtype) for k, name in enumerate(spec.state_names)}


def torch_module(spec, params):
    """The ``torch.nn`` layer with these parameters, filled by hand."""
    options = {"nonlinearity": spec.option("activation")} if spec.name == "rnn" else {}
    with torch.random.fork_rng():
        module = MODULES[spec.name](
            params["W_ih"].shape[1], params["W_hh"].shape[1], dtype=params["W_hh"].dtype, **options
        )
    for kind in ("ih", "hh"):
        getattr(module, f"weight_{kind}_l0").data.copy_(params[f"W_{kind}"])
        getattr(module, f"bias_{kind}_l0").data.copy_(params[f"b_{kind}"])
    return module


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


PHI = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda a: np.where(a.real > 0, a, 0),
    "identity": lambda a: a,
}


# One function a cell: W[k] x, U[k] h and the biases of block k come as functions, the previous state by
# name; every gate and state passes through `new` the moment it exists, where a test may hold or nudge it.
def rnn(Wx, U, b, state, new, activation, connection="plain"):
    value = PHI[activation](Wx("h") + U("h", state["h"]) + b("h"))
    new("h", value if connection == "plain" else state["h"] + new("g", value))


def lstm(Wx, U, b, state, new):
    i, f, o = (new(k, sigmoid(Wx(k) + U(k, state["h"]) + b(k))) for k in "ifo")
    g = new("g", np.tanh(Wx("g") + U("g", state["h"]) + b("g")))
    c = new("c", f * state["c"] + i * g)
    new("h", o * np.tanh(c))


def gru(Wx, U, b, state, new, reset, z):
    h = state["h"]
    r, zt = (new(k, sigmoid(Wx(k) + U(k, h) + b(k))) for k in "rz")
    if reset == "after":
        n = new("n", np.tanh(Wx("n") + b("n", "ih") + r * (U("n", h) + b("n", "hh"))))
    else:
        n = new("n", np.tanh(Wx("n") + U("n", r * h) + b("n")))
    new("h", zt * h + (1 - zt) * n if z == "keeps" else (1 - zt) * h + zt * n)


LOOPS = {"rnn": (rnn, "h"), "lstm": (lstm, "ifgo"), "gru": (gru, "rzn")}


def run(spec, params, x, state0=None, nudge=None, hold=lambda name, t, value: value):
    """States (…,T+1,B,H) and gates (…,T,B,H) by name.

    Parameters, initial states and ``nudge`` (name -> (K,T+1,B,H), added to a state as it appears) may
    be complex and carry a leading axis K of variations. ``hold`` may replace a gate or state of step t
    (from 1), which is then nudged.
    """
    cell, blocks = LOOPS[spec.name]
    p = {name: np.asarray(value) for name, value in params.items()}
    H, x = p["W_hh"].shape[-1], np.asarray(x)
    rows = {k: slice(n * H, (n + 1) * H) for n, k in enumerate(blocks)}
    zero = np.zeros((x.shape[1], H))
    first = {name: np.asarray((state0 or {}).get(name, zero)) for name in ("h", "c")[: len(spec.states)]}
    state = {k: v + (nudge[k][:, 0] if nudge else 0) for k, v in first.items()}
    states, gates = [state], []
    for t, x_t in enumerate(x):
        fresh = {}

        def new(name, value, t=t, fresh=fresh):
            value = hold(name, t + 1, value)
            fresh[name] = value + (nudge[name][:, t + 1] if nudge and name in nudge else 0)
            return fresh[name]

        cell(
            lambda k, x_t=x_t: x_t @ p["W_ih"][..., rows[k], :].swapaxes(-1, -2),
            lambda k, v: v @ p["W_hh"][..., rows[k], :].swapaxes(-1, -2),
            lambda k, which=("ih", "hh"): sum(
                p[f"b_{w}"][..., None, rows[k]] for w in ([which] if isinstance(which, str) else which)
            ),
            state,
            new,
            **dict(spec.options),
        )
        state = {name: fresh[name] for name in first}
        gates.append({name: value for name, value in fresh.items() if name not in first})
        states.append(state)

    def stack(records):
        return {
            name: np.stack(np.broadcast_arrays(*(record[name] for record in records)), -3)
            for name in records[0]
        }

    return stack(states), stack(gates)


EPS = 1e-30


def variations(value):
    """One copy of an array for each of its entries, that entry moved by iε: (size, *shape)."""
    value = np.asarray(value)
    return value + 1j * EPS * np.eye(value.size).reshape(value.size, *value.shape)


def some_loss(weights):
    """A smooth loss that every h_t enters, the same for NumPy and torch: h (…,T,B,H) -> (…)."""
    return lambda h: (weights * (h + h * h)).sum((-3, -2, -1))


def gradients(spec, params, x, state0, loss, **more):
    """dL/dθ for every parameter, and the total dL/ds_t (T+1,B,H) for every state; ``more`` is for `run`."""
    params = {name: value.numpy() for name, value in params.items()}
    state0 = {name: value.numpy() for name, value in state0.items()}

    def derivative(shape, **changed):
        states, _ = run(spec, **{"params": params, "x": x.numpy(), "state0": state0, **changed}, **more)
        return loss(states["h"][..., 1:, :, :]).imag.reshape(shape) / EPS

    d_params = {
        name: derivative(value.shape, params={**params, name: variations(value)})
        for name, value in params.items()
    }
    shape = (x.shape[0] + 1, x.shape[1], params["W_hh"].shape[1])
    still = np.zeros((1, *shape))
    d_states = {
        name: derivative(shape, nudge={**dict.fromkeys(state0, still), name: variations(still[0])})
        for name in state0
    }
    return d_params, d_states


def step_jacobian(spec, params, x_t, state):
    """∂s_t/∂s_{t-1} of one step for each batch element, (B,S,S), states stacked in the spec's order."""
    params = {name: value.numpy() for name, value in params.items()}
    before = {name: value.numpy() for name, value in state.items()}
    H = params["W_hh"].shape[1]
    columns = []
    for name in spec.state_names:
        for unit in range(H):
            moved = {**before, name: before[name] + 1j * EPS * (np.arange(H) == unit)}
            after, _ = run(spec, params, x_t.numpy()[None], moved)
            columns.append(np.concatenate([after[k][1].imag for k in spec.state_names], -1) / EPS)
    return np.stack(columns, -1)
