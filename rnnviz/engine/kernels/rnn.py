"""The Elman network's kernel: h_t = φ(a_t), a_t = U_{t-1} W.

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

    def __init__(self, activation: str) -> None:
        """With φ one of tanh, sigmoid, relu and identity."""
        super().__init__()
        self._activation = activation

    @property
    def tape(self) -> tuple[type[RNNTape], tuple[str]]:
        """As in `Stacked`."""
        return RNNTape, (self._activation,)

    def gates(self) -> State:
        """It has none."""
        return {}

    def _fit(self, like: Tensor) -> None:
        h = self.states["h"].unbind(0)
        self._steps = list(zip(self.U.unbind(0)[:-1], self.A.unbind(0), h[1:], strict=True))
        U_T, d_h = [U.mT for U in self.U.unbind(0)], self.d_states["h"].unbind(0)
        self._back = list(zip(U_T[:-1], h[1:], d_h[1:], d_h[:-1], strict=True))
        self._slopes = self.C.unbind(0)

    def _pack(self, params: Params) -> None:
        super()._pack(params)
        if self._activation == "tanh" and self.doubled:
            self.weights[0].mul_(2)

    def _run(self) -> None:
        W, kind, doubled = self.weights[0], self._activation, self.doubled
        for U, a, h in self._steps:
            torch.bmm(U, W, out=a)
            if kind == "tanh" and doubled:
                self._tanh_of_half(a, h)
            elif kind == "tanh":
                torch.tanh(a, out=h)
            elif kind == "sigmoid":
                torch.sigmoid(a, out=h)
            elif kind == "relu":
                torch.clamp_min(a, 0, out=h)
            else:
                h.copy_(a)

    def _recover(self, params: Params) -> None:
        """The states suffice."""

    def _coefficients(self, start: int, stop: int) -> None:
        slope = SLOPES.get(self._activation)
        if slope:
            h, one = self.states["h"][start + 1 : stop + 1], self.U[start:stop, ..., -1:]
            slope(one.expand_as(h), h, grad_input=self.C[: stop - start])

    def _step_back(self, t: int, n: int, carry: bool) -> None:
        (U_T, h, d_h, d_h_before), delta = self._back[t], self._slopes[n]
        if self._activation in SLOPES:
            delta.mul_(d_h)
        elif self._activation == "relu":
            # Not a product with [h > 0]: 0 · ∞ is no number.
            threshold_backward(d_h, h, 0, grad_input=delta)
        else:
            delta.copy_(d_h)
        if carry:
            torch.baddbmm(self._asked[t], delta, self.W_hh, out=d_h_before)
        else:
            d_h_before.copy_(self._asked[t])
        self.d_weights[0].baddbmm_(U_T, delta)
