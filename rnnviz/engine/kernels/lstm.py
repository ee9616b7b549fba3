"""The LSTM's kernel.

Forward: a_k = U_{t-1} W_k; i, f, o = σ(a), g = tanh a_g; c_t = f ⊙ c_{t-1} + i ⊙ g; h_t = o ⊙ tanh c_t.
Back, d the total derivative: d_c += d_h ⊙ o(1 - tanh² c_t); δ_o = d_h ⊙ tanh c_t ⊙ o(1 - o);
δ_i = d_c ⊙ g ⊙ i(1 - i); δ_f = d_c ⊙ c_{t-1} ⊙ f(1 - f); δ_g = d_c ⊙ i(1 - g²); d_{c,t-1} = d_c ⊙ f.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnviz.engine.kernels.stacked import Stacked, sigmoid_backward, tanh_backward
from rnnviz.engine.kernels.tapes import LSTMTape
from rnnviz.engine.spec import Params, State

NAMES = ("i", "f", "g", "o")


class LSTM(Stacked):
    """K LSTMs; see `Kernel`."""

    blocks, driven, memory = 4, 4, ("c",)

    @property
    def tape(self) -> tuple[type[LSTMTape], tuple[()]]:
        """As in `Stacked`."""
        return LSTMTape, ()

    def gates(self) -> State:
        """As in `Kernel`."""
        return {name: self._block(self.A, k) for k, name in enumerate(NAMES)}

    def _fit(self, like: Tensor) -> None:
        H, f = self.shape.H, self.gates()["f"].unbind(0)
        d_h, d_c = (self.d_states[name].unbind(0) for name in ("h", "c"))
        self.tanh_c = like.new_empty(self.states["c"][1:].shape)
        self.C_c = like.new_empty(*self.C.shape[:-1], H)  # ∂h_t/∂c_t at fixed o
        self._two = like.new_full((), 2.0)
        U_T = [U.mT for U in self.U.unbind(0)]
        self._back = list(zip(U_T[:-1], d_h[1:], d_h[:-1], d_c[1:], d_c[:-1], f, strict=True))
        slopes = (self._block(self.C, k).unbind(0) for k in range(4))
        self._slopes = list(zip(self.C.unbind(0), *slopes, self.C_c.unbind(0), strict=True))

    def _forth(self) -> list[tuple[Tensor, ...]]:
        h, c, A = self.states["h"].unbind(0), self.states["c"].unbind(0), self.A.unbind(0)
        gates = (gate.unbind(0) for gate in self.gates().values())
        opening = [a[..., : 2 * self.shape.H] for a in A]  # i and f
        parts = (self.U.unbind(0)[:-1], A, opening, *gates, c[:-1], c[1:], self.tanh_c.unbind(0), h[1:])
        return list(zip(*parts, strict=True))

    def _pack(self, params: Params) -> None:
        super()._pack(params)
        if self.doubled:
            self._block(self.weights[0], 2).mul_(2)

    def _run(self) -> None:
        W, doubled = self.weights[0], self.doubled
        for U, a, a_if, i, f, g, o, c_prev, c, tanh_c, h in self._steps:
            torch.bmm(U, W, out=a)
            if doubled:
                a.sigmoid_()
                torch.add(self._minus, g, alpha=2, out=g)
                torch.mul(f, c_prev, out=c).addcmul_(i, g)
                self._tanh_of_half(torch.mul(c, self._two, out=tanh_c), tanh_c)
            else:
                a_if.sigmoid_()
                g.tanh_()
                o.sigmoid_()
                torch.mul(f, c_prev, out=c).addcmul_(i, g)
                torch.tanh(c, out=tanh_c)
            torch.mul(o, tanh_c, out=h)

    def _recover(self, params: Params) -> None:
        torch.tanh(self.states["c"][1:], out=self.tanh_c)

    def _coefficients(self, start: int, stop: int) -> None:
        n = stop - start
        i, f, g, o = (self._block(self.A[start:stop], k) for k in range(4))
        C_i, C_f, C_g, C_o = (self._block(self.C[:n], k) for k in range(4))
        tanh_c = self.tanh_c[start:stop]
        sigmoid_backward(g, i, grad_input=C_i)
        sigmoid_backward(self.states["c"][start:stop], f, grad_input=C_f)
        tanh_backward(i, g, grad_input=C_g)
        sigmoid_backward(tanh_c, o, grad_input=C_o)
        tanh_backward(o, tanh_c, grad_input=self.C_c[:n])

    def _step_back(self, t: int, n: int, carry: bool) -> None:
        U_T, d_h, d_h_before, d_c, d_c_before, f = self._back[t]
        delta, delta_i, delta_f, delta_g, delta_o, C_c = self._slopes[n]
        d_c.addcmul_(d_h, C_c)
        # One by one: a product with d_c spread over three blocks takes three times as long.
        delta_i.mul_(d_c)
        delta_f.mul_(d_c)
        delta_g.mul_(d_c)
        delta_o.mul_(d_h)
        if carry:
            torch.mul(d_c, f, out=d_c_before)
            torch.baddbmm(self._asked[t], delta, self.W_hh, out=d_h_before)
        else:
            d_c_before.zero_()
            d_h_before.copy_(self._asked[t])
        self.d_weights[0].baddbmm_(U_T, delta)
