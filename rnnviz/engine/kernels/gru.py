"""The GRU's kernels, reset after and before the product.

Forward: r, z = σ(a_r), σ(a_z). Reset after, n = tanh(a_n + r ⊙ m), where m = U_n h_{t-1} + b'_n is a block
of its own beside a_n = W_n x_t + b_n; before, n = tanh(U_n (r ⊙ h_{t-1}) + W_n x_t + b_n).
h_t = k ⊙ h_{t-1} + (1 - k) ⊙ n with k = z where z keeps, 1 - z where it takes.
Back: δ_n = d_h ⊙ (1 - k)(1 - n²); δ_z = ± d_h ⊙ (h_{t-1} - n) ⊙ z(1 - z); d_{h,t-1} += k ⊙ d_h.
After: δ_m = δ_n ⊙ r, δ_r = δ_n ⊙ m ⊙ r(1 - r). Before: p = δ_n U_n, δ_r = p ⊙ h_{t-1} ⊙ r(1 - r), and
d_{h,t-1} += r ⊙ p.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from rnnviz.engine.kernels.stacked import Part, Stacked, sigmoid_backward, tanh_backward
from rnnviz.engine.kernels.tapes import AfterTape, BeforeTape
from rnnviz.engine.spec import Params, State


class GRU(Stacked):
    """What both share: the gates and the mix. The candidate's product, of another input, is apart."""

    driven = 2

    def __init__(self, keeps: bool) -> None:
        """With z that keeps h_{t-1}, or that takes n_t."""
        super().__init__()
        self._keeps = keeps

    def gates(self) -> State:
        """As in `Kernel`."""
        return {"r": self._block(self.A, 0), "z": self._block(self.A, 1), "n": self.n}

    def _fit(self, like: Tensor) -> None:
        new, H = like.new_empty, self.shape.H
        self.n = new(*self.A.shape[:-1], H)
        self._into_n = inputs = self._inputs_of_n()
        W_n = new(inputs.shape[1], inputs.shape[3], H)
        self.weights.append(W_n)
        self.d_weights.append(torch.empty_like(W_n))
        self.C_n, self.flip = (new(*self.C.shape[:-1], H) for _ in range(2))
        self._one = like.new_ones(())  # flip: 1 - z
        d_h, r, z = self.d_states["h"].unbind(0), *(self.gates()[k].unbind(0) for k in "rz")
        U_T, V_T = [u.mT for u in self.U.unbind(0)[:-1]], [v.mT for v in inputs.unbind(0)]
        self._back = list(zip(U_T, V_T, d_h[1:], d_h[:-1], r, z, strict=True))
        blocks = (self._block(self.C, k).unbind(0) for k in range(self.blocks))
        parts = (self.C.unbind(0), self.C_n.unbind(0), self.flip.unbind(0), *blocks)
        self._slopes = list(zip(*parts, strict=True))

    def _forth(self) -> list[tuple[Tensor, ...]]:
        h, A = self.states["h"].unbind(0), self.A.unbind(0)
        opening = [a[..., : 2 * self.shape.H] for a in A]  # r and z
        gates = (gate.unbind(0) for gate in self.gates().values())
        parts = (self.U.unbind(0)[:-1], self._into_n.unbind(0), A, opening, *gates, h[:-1], h[1:])
        return list(zip(*parts, strict=True))

    @abstractmethod
    def _inputs_of_n(self) -> Tensor:
        """What the candidate's product of its own takes, (T,K,B,…)."""

    def _layout(self) -> list[Part]:
        D, rows = self.shape.D, self._candidate
        own = [Part("W_ih", 1, rows, slice(None), slice(-D - 1, -1)), Part("b_ih", 1, rows, slice(None), -1)]
        return [*super()._layout(), *own]

    @property
    def _candidate(self) -> slice:
        """Its rows of the parameters."""
        return slice(2 * self.shape.H, 3 * self.shape.H)

    def _inputs(self) -> list[Tensor]:
        return [*super()._inputs(), self._into_n]

    def _deltas(self) -> list[Tensor]:
        return [*super()._deltas(), self.C_n]

    def _squash(self, n: Tensor) -> None:
        if self.doubled:
            self._tanh_of_half(n, n)
        else:
            n.tanh_()

    def _mix(self, z: Tensor, n: Tensor, h_prev: Tensor, h: Tensor) -> None:
        if self._keeps:
            torch.lerp(n, h_prev, z, out=h)
        else:
            torch.lerp(h_prev, n, z, out=h)

    def _coefficients(self, start: int, stop: int) -> None:
        """Those of z and n, and 1 - z."""
        z, n, h_prev = self._block(self.A[start:stop], 1), self.n[start:stop], self.states["h"][start:stop]
        C_z, C_n = self._block(self.C[: stop - start], 1), self.C_n[: stop - start]
        flip = torch.sub(self._one, z, out=self.flip[: stop - start])
        torch.sub(h_prev, n, out=C_z) if self._keeps else torch.sub(n, h_prev, out=C_z)
        sigmoid_backward(C_z, z, grad_input=C_z)
        tanh_backward(flip if self._keeps else z, n, grad_input=C_n)


class After(GRU):
    """K GRUs that reset after the product: U_t W is a_r, a_z, m; [x_{t+1} | 1] W_n is a_n. See `Kernel`."""

    blocks = 3

    @property
    def tape(self) -> tuple[type[AfterTape], tuple[bool]]:
        """As in `Stacked`."""
        return AfterTape, (self._keeps,)

    def _inputs_of_n(self) -> Tensor:
        return self.U[:-1, ..., self.shape.H :]

    def _fit(self, like: Tensor) -> None:
        super()._fit(like)
        self._m = self._block(self.A, 2).unbind(0)

    def _pack(self, params: Params) -> None:
        super()._pack(params)
        if self.doubled:
            self._block(self.weights[0], 2).mul_(2)
            self.weights[1].mul_(2)

    def _run(self) -> None:
        W, W_n = self.weights
        for (U, x, a, a_rz, r, z, n, h_prev, h), m in zip(self._steps, self._m, strict=True):
            torch.bmm(U, W, out=a)
            torch.bmm(x, W_n, out=n)
            a_rz.sigmoid_()
            self._squash(n.addcmul_(r, m))
            self._mix(z, n, h_prev, h)

    def _recover(self, params: Params) -> None:
        h, U_n, b_n = self.states["h"][:-1, 0], params["W_hh"][0].chunk(3)[2], params["b_hh"][0].chunk(3)[2]
        m = torch.addmm(b_n, h.flatten(0, 1), U_n.t())
        self._block(self.A, 2)[:, 0] = (m.mul_(2) if self.doubled else m).view_as(h)

    def _coefficients(self, start: int, stop: int) -> None:
        super()._coefficients(start, stop)
        A, C, C_n = self.A[start:stop], self.C[: stop - start], self.C_n[: stop - start]
        r, m, C_r, C_m = self._block(A, 0), self._block(A, 2), self._block(C, 0), self._block(C, 2)
        torch.mul(C_n, r, out=C_m)
        torch.mul(C_n, m, out=C_r)
        if self.doubled:
            C_r.mul_(0.5)  # there m is 2 m
        sigmoid_backward(C_r, r, grad_input=C_r)

    def _step_back(self, t: int, n: int, carry: bool) -> None:
        U_T, x_T, d_h, d_h_before, _, z = self._back[t]
        delta, delta_n, flip, delta_r, delta_z, delta_m = self._slopes[n]
        # One by one: a product with d_h spread over the blocks takes twice as long.
        delta_r.mul_(d_h)
        delta_z.mul_(d_h)
        delta_m.mul_(d_h)
        delta_n.mul_(d_h)
        if carry:
            torch.addcmul(self._asked[t], d_h, z if self._keeps else flip, out=d_h_before)
            d_h_before.baddbmm_(delta, self.W_hh)
        else:
            d_h_before.copy_(self._asked[t])
        self.d_weights[0].baddbmm_(U_T, delta)
        self.d_weights[1].baddbmm_(x_T, delta_n)


class Before(GRU):
    """K GRUs that reset before the product: U_t W is a_r, a_z; V_t W_n is a_n. See `Kernel`.

    V_t = [r_{t+1} ⊙ h_t | x_{t+1} | 1].
    """

    blocks = 2

    @property
    def tape(self) -> tuple[type[BeforeTape], tuple[bool]]:
        """As in `Stacked`."""
        return BeforeTape, (self._keeps,)

    def _inputs_of_n(self) -> Tensor:
        self.V = torch.empty_like(self.U[:-1])
        return self.V

    def _fit(self, like: Tensor) -> None:
        super()._fit(like)
        H = self.shape.H
        self._rh = self.V[..., :H].unbind(0)
        self.p = torch.empty_like(self.n[0])
        self._U_rz, self._U_n = torch.split(self.W_hh, [2 * H, H], 1)

    def _layout(self) -> list[Part]:
        rows, own = self._candidate, slice(self.shape.H)
        return [
            *super()._layout(),
            Part("W_hh", 1, rows, slice(None), own),
            Part("b_hh", 1, rows, slice(None), -1),
        ]

    def _pack(self, params: Params) -> None:
        super()._pack(params)
        if self.doubled:
            self.weights[1].mul_(2)

    def _run(self) -> None:
        (W, W_n), H = self.weights, self.shape.H
        self.V[..., H:] = self.U[:-1, ..., H:]
        for (U, V, _, a_rz, r, z, n, h_prev, h), rh in zip(self._steps, self._rh, strict=True):
            torch.bmm(U, W, out=a_rz)
            a_rz.sigmoid_()
            torch.mul(r, h_prev, out=rh)
            torch.bmm(V, W_n, out=n)
            self._squash(n)
            self._mix(z, n, h_prev, h)

    def _recover(self, params: Params) -> None:
        self.V.copy_(self.U[:-1])
        self.V[..., : self.shape.H].mul_(self.gates()["r"])

    def _coefficients(self, start: int, stop: int) -> None:
        super()._coefficients(start, stop)
        C_r = self._block(self.C[: stop - start], 0)
        sigmoid_backward(self.states["h"][start:stop], self._block(self.A[start:stop], 0), grad_input=C_r)

    def _step_back(self, t: int, n: int, carry: bool) -> None:
        U_T, V_T, d_h, d_h_before, r, z = self._back[t]
        delta, delta_n, flip, delta_r, delta_z = self._slopes[n]
        delta_z.mul_(d_h)
        delta_n.mul_(d_h)
        torch.bmm(delta_n, self._U_n, out=self.p)
        delta_r.mul_(self.p)
        if carry:
            torch.addcmul(self._asked[t], d_h, z if self._keeps else flip, out=d_h_before)
            d_h_before.addcmul_(self.p, r).baddbmm_(delta, self._U_rz)
        else:
            d_h_before.copy_(self._asked[t])
        self.d_weights[0].baddbmm_(U_T, delta)
        self.d_weights[1].baddbmm_(V_T, delta_n)
