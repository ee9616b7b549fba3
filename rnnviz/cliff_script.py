"""The cliff's figures as PyTorch scripts: the same operations in the same order, so the same bits."""

from __future__ import annotations

from rnnviz.charts.cliff_records import Box
from rnnviz.cliff import POINTS, Descent, Unit
from rnnviz.script import quoted

_HEAD = '''"""{title}

{caption}
Prints the figure's numbers as CSV. Needs PyTorch only.
"""
from __future__ import annotations

import torch
from torch import Tensor

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

T, y, x_0 = {steps}, {target!r}, {x0!r}


def error(w: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """E, dE/dw and dE/db of h_t = φ(w h + b), by back-propagation through time.

    φ' is {words}. `torch.autograd.grad` gives the same but for rounding, which the wall amplifies.
    """
    h = [torch.{phi}(torch.tensor(x_0)).expand_as(w)]
    for t in range(T):
        h.append(torch.{phi}(w * h[t] + b))
    d_h, dw, db = torch.ones_like(w), torch.zeros_like(w), torch.zeros_like(w)
    for t in range(T, 0, -1):
        delta = {slope} * d_h
        dw, db = dw + h[t - 1] * delta, db + delta
        d_h = delta * w
    d_E = 2 * (h[T] - y)
    return (h[T] - y) ** 2, d_E * dw, d_E * db

'''
# φ′ as the engine rounds it.
_SLOPES = {
    "sigmoid": "(1 - h[t]) * h[t]",
    "tanh": "torch.ops.aten.tanh_backward(torch.ones_like(w), h[t])",
}

_SURFACE = """
w, b = torch.meshgrid(
    torch.linspace({left!r}, {right!r}, {points}),
    torch.linspace({bottom!r}, {top!r}, {points}),
    indexing="xy",
)
w, b = w.flatten(), b.flatten()
print("w,b,E,dE_dw,dE_db")
for row in torch.stack([w, b, *error(w, b)], 1).tolist():
    print(*map(repr, row), sep=",")
"""

_WAYS = """
w_0, b_0, lr, updates = {w!r}, {b!r}, {lr!r}, {updates}
print("way,update,w,b,E,norm,clipped")
for way, threshold in (("without clipping", float("inf")), ("clipped at θ = {clip:g}", {clip!r})):
    w, b = torch.tensor([w_0]), torch.tensor([b_0])
    for update in range(updates + 1):
        E, dw, db = error(w, b)
        norm = torch.hypot(dw, db)
        clipped = bool(norm > threshold)
        row = [w, b, E, norm]
        print(way, update, *(repr(v.item()) for v in row), int(clipped and update < updates), sep=",")
        scale = threshold / norm if clipped else torch.ones_like(norm)
        w, b = w - lr * (dw * scale), b - lr * (db * scale)
"""


def surface_script(unit: Unit, box: Box, title: str, caption: str) -> str:
    """A script that prints E and its gradient at every point of the grid."""
    (left, right), (bottom, top) = box
    body = _SURFACE.format(left=left, right=right, bottom=bottom, top=top, points=POINTS)
    return _head(unit, title, caption) + body


def ways_script(unit: Unit, descent: Descent, updates: int, title: str, caption: str) -> str:
    """A script that prints a way without clipping and, from the same start, this one."""
    body = _WAYS.format(w=descent.w, b=descent.b, lr=descent.lr, clip=descent.clip, updates=updates)
    return _head(unit, title, caption) + body


def _head(unit: Unit, title: str, caption: str) -> str:
    return _HEAD.format(
        title=quoted(title),
        caption=quoted(caption),
        steps=unit.steps,
        target=unit.target,
        x0=unit.x0,
        phi=unit.activation,
        slope=_SLOPES[unit.activation],
        words={"sigmoid": "h (1 - h)", "tanh": "1 - h²"}[unit.activation],
    )
