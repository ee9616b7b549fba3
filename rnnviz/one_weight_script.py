"""*One weight* as a PyTorch script: the recursion as a loop, its table, and autograd as its check."""

from __future__ import annotations

from rnnviz.charts.one_weight_positions import Position
from rnnviz.one_weight import OneWeight
from rnnviz.script import quoted

_PHI = {
    "identity": ("a", "torch.ones_like(h[t])", True),
    "tanh": ("torch.tanh(a)", "1 - h[t] ** 2", False),
}

_SCRIPT = '''"""{title}

{caption}
Prints the figure's numbers as CSV, and stops with an error where autograd disagrees. Needs PyTorch only.
"""
import torch

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

T, tau = {longest}, {tau}
w, y = torch.tensor({w!r}), torch.tensor({y!r})

# The input
{code}
x = {size!r} * x[:tau]

# Forward: h[0] is the initial state
h = [torch.tensor(0.0)]
for x_t in x:
    a = w * h[-1] + x_t
    h.append({phi})

# Backward: p[t] = dL/dh_t of L = (h_tau - y)^2 / 2
p, phi_prime = {{tau: h[tau] - y}}, {{}}
for t in range(tau, 0, -1):
    phi_prime[t] = {slope}
    if t > 1:
        p[t - 1] = w * phi_prime[t] * p[t]

# dL/dw, a part a step
terms = {{t: p[t] * phi_prime[t] * h[t - 1] for t in p}}
sums, total = {{}}, torch.tensor(0.0)
for t in range(tau, 0, -1):
    total = total + terms[t]
    sums[t] = total

# The same by autograd{closed_title}
v = w.clone().requires_grad_()
state = torch.tensor(0.0)
for x_t in x:
    a = v * state + x_t
    state = {phi}
loss = (state - y) ** 2 / 2
(by_autograd,) = torch.autograd.grad(loss, v)
size = sum(term.abs() for term in terms.values()).item()  # parts of either sign may cancel
torch.testing.assert_close(total, by_autograd, rtol=1e-12, atol=1e-12 * size)
{closed}
print("t,x,h,phi_prime,p,term,sum_from_tau")
for t in range(1, tau + 1):
    row = (x[t - 1], h[t], phi_prime[t], p[t], terms[t], sums[t])
    print(t, *(repr(v.item()) for v in row), sep=",")
'''

_CLOSED = """closed = (h[tau] - y) * sum((tau - t) * w ** (tau - t - 1) * x[t - 1] for t in range(1, tau))
torch.testing.assert_close(total, closed, rtol=1e-12, atol=1e-12 * size)
"""


def one_weight_script(config: OneWeight, shown: Position, title: str, caption: str) -> str:
    """A script that prints the table of the shown position and checks it against autograd."""
    phi, slope, linear = _PHI[shown.phi]
    return _SCRIPT.format(
        title=quoted(title),
        caption=quoted(
            f"w = {shown.w:g} · τ = {shown.tau} · size {shown.size:g} · φ = {shown.phi} · {caption}"
        ),
        longest=len(config.unit_input()),
        tau=shown.tau,
        w=shown.w,
        y=config.y,
        code=config.code,
        size=shown.size,
        phi=phi,
        slope=slope,
        closed_title=", and in closed form" if linear else "",
        closed=_CLOSED if linear else "",
    )
