"""One weight: h_t = φ(w h_{t-1} + x_t) with a loss at the last step, at every position of its sliders."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnviz.charts.one_weight_positions import LONGEST, PHIS, SIZES, TAUS, WEIGHTS, Positions
from rnnviz.engine import CELLS
from rnnviz.engine.cells.rnn import ACTIVATIONS
from rnnviz.engine.kernels import kernel_of

# An input of size 1, as code in T: what is run is what a script prints.
SHAPES = {
    "impulse": "x = torch.zeros(T)\nx[0] = 1.0",
    "constant": "x = torch.ones(T)",
    "alternating": "x = torch.ones(T)\nx[1::2] = -1.0",
    "noise": "x = torch.randn(T, generator=torch.Generator().manual_seed({seed}))",
}


@dataclass(frozen=True)
class OneWeight:
    """What the server is asked for; the rest is scrubbed in the browser.

    Attributes:
        shape: the input's, one of ``SHAPES``.
        y: the target.
        seed: of the noise.
    """

    shape: str = "constant"
    y: float = -1.0
    seed: int = 0

    @property
    def code(self) -> str:
        """Lines of Python that make the input of size 1, x (T,), in the default dtype."""
        return SHAPES[self.shape].format(seed=self.seed)

    @property
    def words(self) -> str:
        """The input in words."""
        return f"noise, seed {self.seed}" if self.shape == "noise" else self.shape

    def unit_input(self) -> Tensor:
        """The input of size 1, (T,), float64."""
        x = torch.zeros(LONGEST, dtype=torch.float64)
        if self.shape == "noise":
            rng = torch.Generator().manual_seed(self.seed)
            return torch.randn(LONGEST, generator=rng, dtype=torch.float64)
        if self.shape == "impulse":
            x[0] = 1.0
            return x
        x += 1.0
        if self.shape == "alternating":
            x[1::2] = -1.0
        return x


def positions(config: OneWeight) -> Positions:
    """Run every position forward and backward: one batch a φ, and autograd's answer beside it."""
    w = torch.tensor(WEIGHTS, dtype=torch.float64)
    x = config.unit_input() * torch.tensor(SIZES, dtype=torch.float64)[:, None]  # (S,T)
    runs = [_run(phi, w, x, config.y) for phi in PHIS]
    h, slope, p = (torch.stack(parts) for parts in zip(*runs, strict=True))
    terms = p * slope[:, :, None] * h[:, :, None, :, :-1]
    by_autograd = torch.stack([_autograd(phi, w, x, config.y) for phi in PHIS])
    read = torch.stack([h[..., tau] for tau in TAUS], 2)  # (F,W,N,S): ŷ
    closed = torch.full_like(read, torch.nan)
    closed[PHIS.index("identity")] = (read[PHIS.index("identity")] - config.y) * _slope_of_last(w, x)
    return Positions(
        x=x.numpy(),
        h=h.numpy(),
        slope=slope.numpy(),
        p=p.numpy(),
        terms=terms.numpy(),
        sums=terms.flip(-1).cumsum(-1).flip(-1).numpy(),
        closed=closed.numpy(),
        autograd=by_autograd.numpy(),
        loss=(0.5 * (read - config.y) ** 2).numpy(),
        y=config.y,
    )


def _run(phi: str, w: Tensor, x: Tensor, y: float) -> tuple[Tensor, Tensor, Tensor]:
    """h (W,S,T+1), φ′ (W,S,T) and p (W,N,S,T): a model a weight, a sequence a size and τ."""
    W, (S, T), N = len(w), x.shape, len(TAUS)
    kernel = kernel_of(CELLS["rnn"].with_options(activation=phi))
    zero = torch.zeros(W, 1, dtype=x.dtype)
    params = {"W_hh": w[:, None, None], "W_ih": torch.ones_like(w)[:, None, None], "b_ih": zero, "b_hh": zero}
    sequences = x.mT[:, None, None, :].expand(T, W, N, S).reshape(T, W, N * S, 1)
    h = kernel.forward(params, sequences)["h"].view(T + 1, W, N, S).clone()
    asked = torch.zeros(T, W, N, S, dtype=x.dtype)  # ∂L/∂h_t as the loss asks it: of h_τ alone
    for n, tau in enumerate(TAUS):
        asked[tau - 1, :, n] = h[tau, :, n] - y
    p = kernel.backward(asked.view(T, W, N * S, 1)).d_states["h"].view(T + 1, W, N, S)[1:].clone()
    states = h[:, :, 0].permute(1, 2, 0)
    return states, ACTIVATIONS[phi].slope(states[..., 1:]), p.permute(1, 2, 3, 0)


def _autograd(phi: str, w: Tensor, x: Tensor, y: float) -> Tensor:
    """dL/dw of every position, (W,N,S): a leaf of its own for each, so that none sees another's loss."""
    with torch.enable_grad():
        leaves = w[:, None, None].repeat(1, len(TAUS), len(x)).requires_grad_()
        h, states = torch.zeros_like(leaves), []
        for x_t in x.unbind(1):
            h = ACTIVATIONS[phi].apply(leaves * h + x_t)
            states.append(h)
        read = torch.stack([states[tau - 1][:, n] for n, tau in enumerate(TAUS)], 1)
        (found,) = torch.autograd.grad((0.5 * (read - y) ** 2).sum(), leaves)
    return found


def _slope_of_last(w: Tensor, x: Tensor) -> Tensor:
    """dh_τ/dw = Σ_{t<τ} (τ - t) w^{τ-t-1} x_t of the linear RNN, (W,N,S)."""
    found = []
    for tau in TAUS:
        lag = tau - torch.arange(1, tau)  # τ - t
        powers = lag * w[:, None] ** (lag - 1)  # (W,τ-1); 0⁰ is 1
        found.append((powers[:, None, :] * x[:, : tau - 1]).sum(-1))
    return torch.stack(found, 1)
