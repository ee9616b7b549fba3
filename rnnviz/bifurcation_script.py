"""A bifurcation diagram as a short PyTorch script."""

from __future__ import annotations

from math import isfinite

from rnnviz import dynamics as d
from rnnviz.dynamics_script import head
from rnnviz.systems import System

# One unit's step with a w and an h of its own in each place.
SCALAR = {
    "rnn": "{phi}(w * h + W_ih[0, 0] * u + b_ih[0])",
    "gru": "mix(h, torch.tanh(u + b_ih[2] + gate(h, 0) * w * h), gate(h, 1))",
}
_GATES = """
def gate(h, k):
    return torch.sigmoid(W_hh[k, 0] * h + b_ih[k])


def mix(h, n, z):
    return z * h + (1 - z) * n

"""


def bifurcation_script(system: System, u: float, h0: float, title: str, caption: str) -> str:
    """Orbits and branches of fixed points for every weight."""
    code = SCALAR[system.cell].format(phi=_phi(system))
    return (
        head(system, u, title, caption)
        + (_GATES if "gate(" in code else "")
        + f'''

def step(w, h):
    """One step of one unit, a weight and a state in each place."""
    return {code}


def slope(w, h):
    """f′(h)."""
    h = h.clone().requires_grad_()
    return torch.autograd.grad(step(w, h).sum(), h)[0]


def show(w, h):
    """A row for each fixed point; where f has a kink it has no slope."""
    before, here, after = (slope(w, h + aside) for aside in (-{d.ASIDE}, 0.0, {d.ASIDE}))
    here = torch.where((after - before).abs() > 1e-3, torch.nan, here)
    for row in zip(w.tolist(), h.tolist(), here.tolist()):
        print("fixed point", *map(repr, row), sep=",")


print("what,w,h,slope")
w = torch.linspace({-d.W_SPAN}, {d.W_SPAN}, {d.W_STEPS + 1})
h, last = torch.full_like(w, {h0!r}), []
for _ in range({d.TRANSIENT + d.KEPT}):
    h = step(w, h)
    last = [*last, h][-{d.KEPT}:]
for weight, states in zip(w.tolist(), torch.stack(last, 1).tolist()):
    for value in states:
        print("orbit", repr(weight), repr(value), "nan", sep=",")

# At each h, the w for which it stands still: bisection, as f is monotone in w
h = {_levels(system)}
h = h[h.abs() > 1e-9]
left, right = torch.full_like(h, {-d.W_REACH}), torch.full_like(h, {d.W_REACH})
at_left, at_right = step(left, h) - h, step(right, h) - h
sign = torch.where(at_left <= 0, 1.0, -1.0)
for _ in range({d.BISECTIONS}):
    middle = (left + right) / 2
    above = sign * (step(middle, h) - h) > 0
    left, right = torch.where(above, left, middle), torch.where(above, middle, right)
there = at_left * at_right <= 0
show(((left + right) / 2)[there], h[there])
if not step(w, torch.zeros_like(w)).any():
    show(w, torch.zeros_like(w))
'''
    )


def _phi(system: System) -> str:
    """φ as the cell's own code has it."""
    return system.spec.code[1].partition(" = ")[2].partition("(")[0]


def _levels(system: System) -> str:
    """The h at which branches are solved."""
    state, (low, high), count = system.spec.states[0], system.window[0], 2 * d.LEVELS + 1
    if not isfinite(state.high - state.low):
        return f"torch.linspace({low!r}, {high!r}, {count})"
    middle, half = (state.low + state.high) / 2, (state.high - state.low) / 2
    return f"{middle!r} + {half!r} * torch.tanh(torch.linspace({-d.SQUASHED}, {d.SQUASHED}, {count}))"
