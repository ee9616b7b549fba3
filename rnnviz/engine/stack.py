"""K models of one cell with a linear readout, stacked along a leading axis."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from rnnviz.engine.params import init_params
from rnnviz.engine.spec import CellSpec, Params

if TYPE_CHECKING:
    from rnnviz.engine.train_config import TrainConfig

READOUT = ("W_hy", "b_y")  # y_t = W_hy h_t + b_y, (O,H) and (O,)


def parameter_count(spec: CellSpec, input_size: int, hidden_size: int, output_size: int) -> int:
    """What a model learns, cell and readout: G(DH + H² + 2H) + OH + O.

    >>> from rnnviz.engine import CELLS
    >>> [parameter_count(CELLS[name], 2, 32, 1) for name in ("rnn", "gru", "lstm")]
    [1185, 3489, 4641]
    """
    G, D, H, O = len(spec.blocks), input_size, hidden_size, output_size
    return G * (D * H + H * H + 2 * H) + O * H + O


def matching_hidden_size(spec: CellSpec, input_size: int, output_size: int, parameters: int) -> int:
    """The hidden size, at least 1, whose `parameter_count` comes nearest to ``parameters``."""

    def count(H: int) -> int:
        return parameter_count(spec, input_size, H, output_size)

    G, b = len(spec.blocks), len(spec.blocks) * (input_size + 2) + output_size
    root = (-b + sqrt(b * b + 4 * G * max(parameters - output_size, 0))) / (2 * G)
    return min((max(1, int(root)), int(root) + 1), key=lambda H: abs(count(H) - parameters))


def draw_models(config: TrainConfig, spec: CellSpec, input_size: int, output_size: int) -> dict[str, Tensor]:
    """First parameters of every seed's model, name -> (K,…): the cell's, W_hy (K,O,H) and b_y (K,O).

    A seed's cell is the one that `init_params` draws with it; its readout is U(±1/√H) from a stream of
    its own, as ``torch.nn.Linear`` has it.
    """
    H, dtype = config.hidden_size, getattr(torch, config.dtype)
    models = []
    for seed in config.seeds:
        model = init_params(
            spec,
            input_size,
            H,
            seed,
            config.scheme,
            dtype,
            forget_bias=config.forget_bias,
            **dict(config.scheme_options),
        )
        rng, bound = stream(seed, "readout"), 1 / sqrt(H)
        for name, shape in zip(READOUT, ((output_size, H), (output_size,)), strict=True):
            drawn = torch.empty(shape, dtype=torch.float64).uniform_(-bound, bound, generator=rng)
            model[name] = drawn.to(dtype)
        models.append(model)
    return {name: torch.stack([model[name] for model in models]) for name in models[0]}


_STREAMS = ("cell", "readout", "data", "validation")


def stream(seed: int, purpose: str) -> Generator:
    """A generator for one purpose, far from the others of the same seed and from its neighbours'."""
    draws = torch.randint(
        2**62, (len(_STREAMS),), generator=torch.Generator().manual_seed(seed), dtype=torch.int64
    )
    return torch.Generator().manual_seed(int(draws[_STREAMS.index(purpose)]))


def read(params: Params, h: Tensor) -> Tensor:
    """y = W_hy h + b_y for h (S,K,B,H), (S,K,B,O)."""
    y: Tensor = torch.matmul(h, params["W_hy"].transpose(1, 2)) + params["b_y"].unsqueeze(1)
    return y


def clip_coefficients(norms: Tensor, clip: float) -> Tensor:
    """What gradients of these global norms (K,) are multiplied with: θ/‖g‖ where ‖g‖ > θ, else 1.

    As ``torch.nn.utils.clip_grad_norm_`` has it, with 1e-6 in the denominator.
    Source: Pascanu, Mikolov & Bengio 2013, algorithm 1.
    """
    return (clip / (norms + 1e-6)).clamp(max=1.0)


def global_norms(gradients: Sequence[Tensor]) -> Tensor:
    """‖g‖₂ of each model over all its parameters (K,…), (K,), in float64, where no square overflows."""
    parts = [torch.linalg.vector_norm(g.flatten(1), dim=1, dtype=torch.float64) for g in gradients]
    whole: Tensor = torch.linalg.vector_norm(torch.stack(parts), dim=0)
    return whole
