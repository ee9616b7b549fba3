"""What the hand-derived kernels share: buffers kept from run to run, and the ways forward and back.

With U_t = [h_t | x_{t+1} | 1] one product U_t W, W = [W_hh | W_ih | b]ᵀ, gives a step's pre-activations
without a bias or an input product of its own. On the way back a cell supplies, for a chunk of time at
once, the factors that make its pre-activations' gradients δ out of the states'; then
dL/dh_{t-1} += δ_t W_hh and dL/dW += U_{t-1}ᵀ δ_t.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from rnnviz.engine.factors import Factor
from rnnviz.engine.kernels.kernel import Gradients
from rnnviz.engine.kernels.tape import Tape
from rnnviz.engine.spec import Gates, Params, State

# Bytes of coefficients formed at once: they are still in a core's cache when the loop comes to use them.
CHUNK_BYTES = 2**20

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Shape(NamedTuple):
    """What a kernel's buffers are cut for."""

    T: int
    K: int
    B: int
    D: int
    H: int
    dtype: torch.dtype
    device: torch.device


class Part(NamedTuple):
    """Where a part of a parameter lies in the stacked weights.

    Attributes:
        name: of the parameter.
        k: which of the stacked weights.
        rows: of the parameter.
        columns: of the stacked weights, which make the pre-activations of these rows.
        inputs: their rows: what the parameter is multiplied with; the last one, of ones, is a bias's.
    """

    name: str
    k: int
    rows: slice
    columns: slice
    inputs: slice | int


class Stacked(ABC):
    """A `Kernel` over buffers with time first; one cell's mathematics are in its subclass."""

    # Blocks of H pre-activations that U_t W gives: the first rows of W_hh and b_hh; and how many of them
    # take from the same rows of W_ih and b_ih.
    blocks: ClassVar[int]
    driven: ClassVar[int]
    memory: ClassVar[tuple[str, ...]] = ()  # states beside h

    def __init__(self) -> None:
        """Nothing is allocated before the first run."""
        self._shape: Shape | None = None
        self._window = 0
        self._kept: list[Tensor] = []
        self._steps: list[tuple[Tensor, ...]] = []

    @property
    def shape(self) -> Shape:
        """What the buffers are cut for."""
        assert self._shape is not None, "forward comes first"
        return self._shape

    @property
    def doubled(self) -> bool:
        """Whether tanh a is had as 2σ(2a) - 1: cheap, but relative precision near 0 is lost."""
        return self.shape.dtype == torch.float32

    def forward(
        self,
        params: Params,
        x: Tensor,
        state0: Mapping[str, Tensor] | None = None,
        truncate: int | None = None,
    ) -> dict[str, Tensor]:
        """As in `Kernel`."""
        self._begin(params, x, truncate)
        with torch.inference_mode():
            for name, value in self.states.items():
                if state0 and name in state0:
                    value[0] = state0[name]
                else:
                    value[0].zero_()
            self._pack(params)
            self._steps = self._steps or self._forth()
            self._run()
        return dict(self.states)

    def adopt(
        self, params: Params, x: Tensor, states: State, gates: Gates, truncate: int | None = None
    ) -> None:
        """Take over a recorded run of one model, as if `forward` had run it; its way back keeps every δ.

        Args:
            params: name -> as in PyTorch.
            x: (T,B,D).
            states: name -> (T+1,B,H).
            gates: name -> (T,B,H).
            truncate: as in `Kernel.forward`.
        """
        params = {name: value.detach().unsqueeze(0) for name, value in params.items()}
        self._begin(params, x.unsqueeze(1), truncate)
        with torch.inference_mode():
            for name, value in states.items():
                self.states[name][:, 0] = value
            for name, value in self.gates().items():
                value[:, 0] = gates[name]
            self._recover(params)
        self._kept = [x.new_empty(len(x), *delta.shape[1:]) for delta in self._deltas()]

    def factors(self) -> dict[str, tuple[Factor, ...]]:
        """What each step of an adopted run adds to each parameter, after `backward`."""
        found: dict[str, tuple[Factor, ...]] = {}
        inputs = self._inputs()
        for part in self._layout():
            delta = self._kept[part.k][:, 0, :, part.columns]
            given = None if isinstance(part.inputs, int) else inputs[part.k][:, 0, :, part.inputs]
            found[part.name] = (*found.get(part.name, ()), Factor(part.rows, delta, given))
        return found

    def backward(self, d_h: Tensor) -> Gradients:
        """As in `Kernel`."""
        T = self.shape.T
        with torch.inference_mode():
            # What the loss asks of each h_t; copied where it is used, while it is in the cache.
            self._asked = [self._nothing, *d_h.unbind(0)]
            self.d_states["h"][T] = self._asked[T]
            for name in self.memory:
                self.d_states[name][T].zero_()
            for dW in self.d_weights:
                dW.zero_()
            for start in range((T - 1) // self._together * self._together, -1, -self._together):
                self._chunk(start, min(start + self._together, T))
            self._unpack()
        return Gradients(dict(self.d_states), dict(self.d_params))

    @property
    @abstractmethod
    def tape(self) -> tuple[Callable[..., Tape], tuple[object, ...]]:
        """What records a run of one model, and what that is made with."""

    @abstractmethod
    def gates(self) -> State:
        """As in `Kernel`."""

    @abstractmethod
    def _fit(self, like: Tensor) -> None:
        """Cut the cell's own buffers for `shape`, and what each step back works on out of them."""

    @abstractmethod
    def _forth(self) -> list[tuple[Tensor, ...]]:
        """What each step forward works on, cut when there is a first one: a run that is adopted has none."""

    @abstractmethod
    def _run(self) -> None:
        """All steps forward."""

    @abstractmethod
    def _recover(self, params: Params) -> None:
        """What `_run` would have kept beside states and gates."""

    @abstractmethod
    def _coefficients(self, start: int, stop: int) -> None:
        """Fill ``C`` for the steps from start + 1 to stop."""

    @abstractmethod
    def _step_back(self, t: int, n: int, carry: bool) -> None:
        """From step t + 1 to step t: turn ``C[n]`` into δ, and through it dL/ds_{t+1} into dL/ds_t.

        Without ``carry`` nothing flows to s_t, where a window starts: it is left what its own asks of it.
        """

    def _begin(self, params: Params, x: Tensor, truncate: int | None) -> None:
        T, K, B, D = x.shape
        shape = Shape(T, K, B, D, params["W_hh"].shape[2], x.dtype, x.device)
        if shape != self._shape:
            # Buffers made in inference mode could never be handed to autograd by who reads them.
            with torch.inference_mode(False):
                self._allocate(shape, params, x.detach())
        self._window = truncate or T
        with torch.inference_mode():
            self.U[:-1, ..., shape.H : -1] = x
            self.W_hh.copy_(params["W_hh"])

    def _allocate(self, shape: Shape, params: Params, like: Tensor) -> None:
        T, K, B, D, H = shape[:5]
        G, new = self.blocks, like.new_empty
        self._shape, self._steps = shape, []
        self.U = like.new_ones(T + 1, K, B, H + D + 1)
        self.A = new(T, K, B, G * H)  # pre-activations, then what the cell makes of them
        self.weights = [like.new_zeros(K, H + D + 1, G * H)]
        self.d_weights = [torch.empty_like(self.weights[0])]
        self.W_hh = new(params["W_hh"].shape)
        self.states = {"h": self.U[..., :H], **{name: new(T + 1, K, B, H) for name in self.memory}}
        self.d_states = {name: new(T + 1, K, B, H) for name in self.states}
        self.d_params = {name: new(value.shape) for name, value in params.items()}
        step_bytes = K * B * G * H * like.element_size()
        self._together = min(T, max(1, CHUNK_BYTES // step_bytes))
        self.C = new(self._together, K, B, G * H)
        self._minus, self._nothing = like.new_full((), -1.0), like.new_zeros(K, B, H)
        self._fit(like)

    def _tanh_of_half(self, a: Tensor, out: Tensor) -> None:
        """tanh(a/2) of this (K,B,H), which is overwritten."""
        torch.add(self._minus, a.sigmoid_(), alpha=2, out=out)

    def _block(self, of: Tensor, k: int) -> Tensor:
        """Columns of the k-th block, (…,G·H) -> (…,H), a view."""
        H = self.shape.H
        return of[..., k * H : (k + 1) * H]

    def _inputs(self) -> list[Tensor]:
        """What each of the stacked weights is multiplied with, (T,K,B,…)."""
        return [self.U[:-1]]

    def _deltas(self) -> list[Tensor]:
        """Where the way back leaves the δ of each of the stacked weights' products, a chunk of time."""
        return [self.C]

    def _chunk(self, start: int, stop: int) -> None:
        """Back through the steps from stop to start + 1."""
        self._coefficients(start, stop)
        for t in range(stop - 1, start - 1, -1):
            self._step_back(t, t - start, t % self._window != 0 or t == 0)
        for kept, delta in zip(self._kept, self._deltas(), strict=bool(self._kept)):
            kept[start:stop] = delta[: stop - start]

    def _layout(self) -> list[Part]:
        """Where each parameter lies in the stacked weights."""
        H = self.shape.H
        rows, driven = slice(self.blocks * H), slice(self.driven * H)
        return [
            Part("W_hh", 0, rows, rows, slice(H)),
            Part("W_ih", 0, driven, driven, slice(H, -1)),
            Part("b_hh", 0, rows, rows, -1),
            Part("b_ih", 0, driven, driven, -1),
        ]

    def _parts(self, weights: list[Tensor]) -> list[tuple[str, Tensor, slice]]:
        """Parameter, its part of these stacked weights, the rows that it has there."""
        return [
            (part.name, weights[part.k].mT[:, part.columns][..., part.inputs], part.rows)
            for part in self._layout()
        ]

    def _pack(self, params: Params) -> None:
        """Parameters into the stacked weights."""
        for W in self.weights:
            W[:, -1].zero_()  # the biases, of which two add up
        for name, part, rows in self._parts(self.weights):
            if name.startswith("b"):
                part.add_(params[name][:, rows])
            else:
                part.copy_(params[name][:, rows])

    def _unpack(self) -> None:
        """The stacked weights' gradient into the parameters'."""
        for name, part, rows in self._parts(self.d_weights):
            self.d_params[name][:, rows] = part
