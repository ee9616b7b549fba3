"""The Elman network's kernel: h_t = φ(a_t), a_t = U_{t-1} W; or, residual, h_t = h_{t-1} + φ(a_t).

δ_t = φ′(a_t) ⊙ dL/dh_t, where φ′ is 1 - h² for tanh, h(1 - h) for the sigmoid, [h > 0] for ReLU and 1
for the identity.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnviz.engine.kernels.stacked import Stacked, sigmoid_backward, tanh_backward
from rnnviz.engine.kernels.tapes import RNNTape
from rnnviz.engine.spec import Params, State

SLOPES = {
    "tanh": tanh_backward,
    "sigmoid": sigmoid_backward,
}  # that h alone gives, for a chunk of time at once
threshold_backward = torch.ops.aten.threshold_backward.grad_input


class RNN(Stacked):
    """K Elman networks; see `Kernel`."""

    blocks, driven = 1, 1

    def __init__(self, activation: str, skips: bool = False) -> None:
        """With φ one of tanh, sigmoid, relu and identity; where it ``skips``, φ is added to the state."""
        super().__init__()
        self._activation, self._skips = activation, skips

    @property
    def tape(self) -> tuple[type[RNNTape], tuple[str, bool]]:
        """As in `Stacked`."""
        return RNNTape, (self._activation, self._skips)

    def gates(self) -> State:
        """What is added, if anything is."""
        return {"g": self.A} if self._skips else {}

    def _fit(self, like: Tensor) -> None:
        value = self._value().unbind(0)
        U_T, d_h = [U.mT for U in self.U.unbind(0)], self.d_states["h"].unbind(0)
        self._back = list(zip(U_T[:-1], value, d_h[1:], d_h[:-1], strict=True))
        self._slopes = self.C.unbind(0)

    def _value(self) -> Tensor:
        """Where φ leaves what it gives, (T,K,B,H)."""
        return self.A if self._skips else self.states["h"][1:]

    def _forth(self) -> list[tuple[Tensor, ...]]:
        h = self.states["h"].unbind(0)
        parts = (self.U.unbind(0)[:-1], self.A.unbind(0), self._value().unbind(0), h[:-1], h[1:])
        return list(zip(*parts, strict=True))

    def _pack(self, params: Params) -> None:
        super()._pack(params)
        if self._activation == "tanh" and self.doubled:
            self.weights[0].mul_(2)

    def _run(self) -> None:
        W, kind, doubled = self.weights[0], self._activation, self.doubled
        for U, a, value, h_prev, h in self._steps:
            torch.bmm(U, W, out=a)
            if kind == "tanh" and doubled:
                self._tanh_of_half(a, value)
            elif kind == "tanh":
                torch.tanh(a, out=value)
            elif kind == "sigmoid":
                torch.sigmoid(a, out=value)
            elif kind == "relu":
                torch.clamp_min(a, 0, out=value)
            elif not self._skips:
                value.copy_(a)
            if self._skips:
                torch.add(h_prev, value, out=h)

    def _recover(self, params: Params) -> None:
        """The states suffice."""

    def _coefficients(self, start: int, stop: int) -> None:
        slope = SLOPES.get(self._activation)
        if slope:
            value = self._value()[start:stop]
            one = self.U[start:stop, ..., -1:]
            slope(one.expand_as(value), value, grad_input=self.C[: stop - start])

    def _step_back(self, t: int, n: int, carry: bool) -> None:
        (U_T, value, d_h, d_h_before), delta = self._back[t], self._slopes[n]
        if self._activation in SLOPES:
            delta.mul_(d_h)
        elif self._activation == "relu":
            # Not a product with [h > 0]: 0 · ∞ is no number.
            threshold_backward(d_h, value, 0, grad_input=delta)
        else:
            delta.copy_(d_h)
        if carry:
            torch.baddbmm(self._asked[t], delta, self.W_hh, out=d_h_before)
            if self._skips:
                d_h_before.add_(d_h)
        else:
            d_h_before.copy_(self._asked[t])
        self.d_weights[0].baddbmm_(U_T, delta)
