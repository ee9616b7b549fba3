"""Each cell's tape: its ``step``, operation for operation, into buffers."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from rnnviz.engine.kernels.tape import Tape, aligned
from rnnviz.engine.spec import Gates, Params, State

SQUASH = {"tanh": torch.tanh_, "relu": torch.relu_, "sigmoid": torch.sigmoid_}


class RNNTape(Tape):
    """φ(ax + U h), or h + φ(ax + U h)."""

    def __init__(self, activation: str, skips: bool) -> None:
        """With φ one of `SQUASH` and the identity, and whether its value is added to h."""
        super().__init__()
        self._activation, self._skips = activation, skips

    def _fit(self, like: Tensor, n: int, H: int) -> None:
        h = aligned(like, n + 1, H)
        self.states, self.gates, g = {"h": h}, {}, h[1:]
        if self._skips:
            g = aligned(like, n, H)
            self.gates = {"g": g}
        self.steps = list(zip(h[:-1].unbind(0), g.unbind(0), h[1:].unbind(0), strict=True))

    def _play(self, params: Params, ax: Tensor, steps: Sequence[tuple[Any, ...]]) -> None:
        W_T, squash = params["W_hh"].t(), SQUASH.get(self._activation)
        for ax_t, (h_prev, value, h) in zip(ax.unbind(0), steps, strict=True):
            torch.addmm(ax_t, h_prev, W_T, out=value)
            if squash:
                squash(value)
            if self._skips:
                torch.add(h_prev, value, out=h)


class LSTMTape(Tape):
    """The LSTM's step; in float32, where ``torch.nn`` has one fused loop, that loop and what it hides."""

    def record(self, params: Params, x: Tensor, ax: Tensor, states: State, gates: Gates) -> None:
        """As in `Tape`."""
        if x.dtype == torch.float32:
            _record_fused(params, x, ax, states, gates)
        else:
            super().record(params, x, ax, states, gates)

    def _fit(self, like: Tensor, n: int, H: int) -> None:
        B = like.shape[1]
        h, c, self._tanh_c = aligned(like, n + 1, H), like.new_empty(n + 1, B, H), like.new_empty(B, H)
        self.states = {"h": h, "c": c}
        self._a, together = like.new_empty(B, 4 * H), like.new_empty(n, B, 4 * H)
        self.gates = dict(zip(("i", "f", "g", "o"), together.chunk(4, 2), strict=True))
        parts = (together, *self.gates.values(), h[:-1], h[1:], c[:-1], c[1:])
        self.steps = list(zip(*(part.unbind(0) for part in parts), strict=True))
        # One call for all is the same to the bit where each block is whole registers, two at a time.
        self._whole = H * like.element_size() % 128 == 0

    def _play(self, params: Params, ax: Tensor, steps: Sequence[tuple[Any, ...]]) -> None:
        W_T, tanh_c, a, whole = params["W_hh"].t(), self._tanh_c, self._a, self._whole
        a_i, a_f, a_g, a_o = a.chunk(4, 1)
        sigmoid, tanh, mul = torch.sigmoid, torch.tanh, torch.mul
        for ax_t, (gates, i, f, g, o, h_prev, h, c_prev, c) in zip(ax.unbind(0), steps, strict=True):
            torch.addmm(ax_t, h_prev, W_T, out=a)
            if whole:
                sigmoid(a, out=gates)
            else:
                sigmoid(a_i, out=i)
                sigmoid(a_f, out=f)
                sigmoid(a_o, out=o)
            tanh(a_g, out=g)
            mul(f, c_prev, out=c).addcmul_(i, g)
            mul(o, tanh(c, out=tanh_c), out=h)


def _record_fused(params: Params, x: Tensor, ax: Tensor, states: State, gates: Gates) -> None:
    """``torch.nn``'s h first, from them all gates at once, and from these c."""
    weights = [params[name] for name in ("W_ih", "W_hh", "b_ih", "b_hh")]
    h, c = states["h"], states["c"]
    h[1:] = torch.lstm(x, (h[:1], c[:1]), weights, True, 1, 0.0, False, False, False)[0]
    a = torch.addmm(ax.flatten(0, 1), h[:-1].flatten(0, 1), params["W_hh"].t()).view_as(ax)
    for name, block in zip(("i", "f", "g", "o"), a.chunk(4, 2), strict=True):
        squash = torch.tanh if name == "g" else torch.sigmoid
        squash(block, out=gates[name])
    torch.mul(gates["i"], gates["g"], out=c[1:])
    scan(gates["f"], c)


def scan(f: Tensor, c: Tensor) -> None:
    """c_t += f_t ⊙ c_{t-1} in place, f (T,B,H) and c (T+1,B,H).

    In two levels: √T runs of √T steps, all runs at once from zero, then each from where the one before ends.
    """
    T, B, H = f.shape
    size = isqrt(T)
    count, rest = T // size, T % size
    whole = c[1 : T - rest + 1].view(count, size, B, H)
    each = f[: T - rest].view(count, size, B, H)
    passed = each.cumprod(1)  # ∏ f from the run's start
    now, factors = whole.unbind(1), each.unbind(1)
    for t in range(1, size):
        now[t].addcmul_(factors[t], now[t - 1])
    carry = c[0]
    for run, share, end in zip(whole.unbind(0), passed.unbind(0), now[-1].unbind(0), strict=True):
        run.addcmul_(share, carry)
        carry = end
    for f_t, c_t in zip(f[T - rest :].unbind(0), c[T - rest + 1 :].unbind(0), strict=True):
        c_t.addcmul_(f_t, carry)
        carry = c_t


class GRUTape(Tape):
    """What both GRUs share: the gates' buffers and the mix."""

    def __init__(self, keeps: bool) -> None:
        """With z that keeps h_{t-1}, or that takes n_t."""
        super().__init__()
        self._keeps = keeps

    def _fit(self, like: Tensor, n: int, H: int) -> None:
        B = like.shape[1]
        h = aligned(like, n + 1, H)
        # Both gates as one, as the step has them: apart, their last bits could differ.
        rz, candidate = like.new_empty(n, B, 2 * H), like.new_empty(n, B, H)
        r, z = rz.chunk(2, 2)
        self.states, self.gates = {"h": h}, {"r": r, "z": z, "n": candidate}
        kept, taken = (h[:-1], candidate) if self._keeps else (candidate, h[:-1])
        parts = (rz, r, z, candidate, kept, taken, h[:-1], h[1:])
        self.steps = list(zip(*(part.unbind(0) for part in parts), strict=True))


class AfterTape(GRUTape):
    """Reset after the product."""

    def _fit(self, like: Tensor, n: int, H: int) -> None:
        super()._fit(like, n, H)
        self._uh = like.new_empty(n, like.shape[1], 3 * H)
        parts = (self._uh, self._uh[..., : 2 * H], self._uh[..., 2 * H :])
        self._own = list(zip(*(part.unbind(0) for part in parts), strict=True))

    def _play(self, params: Params, ax: Tensor, steps: Sequence[tuple[Any, ...]]) -> None:
        H, W_T, add, lerp = params["W_hh"].shape[1], params["W_hh"].t(), torch.add, torch.lerp
        self._uh[: len(ax)] = params["b_hh"]  # for all steps at once, where each product would begin with it
        ax_rz, ax_n = (part.unbind(0) for part in torch.split(ax, [2 * H, H], 2))
        for a_rz, a_n, (uh, uh_rz, uh_n), (rz, r, z, n, kept, taken, h_prev, h) in zip(
            ax_rz, ax_n, self._own[: len(ax)], steps, strict=True
        ):
            uh.addmm_(h_prev, W_T)
            add(a_rz, uh_rz, out=rz).sigmoid_()
            torch.addcmul(a_n, r, uh_n, out=n).tanh_()
            lerp(taken, kept, z, out=h)


class BeforeTape(GRUTape):
    """Reset before the product."""

    def _play(self, params: Params, ax: Tensor, steps: Sequence[tuple[Any, ...]]) -> None:
        H = params["W_hh"].shape[1]
        (U_rz, U_n), (b_rz, b_n) = (torch.split(params[name], [2 * H, H]) for name in ("W_hh", "b_hh"))
        U_rz_T, U_n_T, rh = U_rz.t(), U_n.t(), ax.new_empty(ax.shape[1], H)
        ax_rz, ax_n = (part.unbind(0) for part in torch.split(ax, [2 * H, H], 2))
        for a_rz, a_n, (rz, r, z, n, kept, taken, h_prev, h) in zip(ax_rz, ax_n, steps, strict=True):
            torch.addmm(b_rz, h_prev, U_rz_T, out=rz).add_(a_rz).sigmoid_()
            torch.addmm(b_n, torch.mul(r, h_prev, out=rh), U_n_T, out=n).add_(a_n).tanh_()
            torch.lerp(taken, kept, z, out=h)
