"""Ways to draw a cell's first parameters; each fills the four arrays it is given.

A block is one gate's part of the stacked matrices. Schemes that speak of a matrix's spectrum speak of
each block's, since each is a matrix of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import init

from rnnviz.engine import check
from rnnviz.engine.spec import CellSpec

Arrays = dict[str, Tensor]


def torch_default(spec: CellSpec, p: Arrays, rng: Generator) -> None:
    """PyTorch's: everything from U(±1/√H), biases too; the same draws as ``torch.nn`` with that seed.

    Gives a spectral radius near 1/√3 = 0.577 and a largest singular value near 2/√3 = 1.155.
    """
    bound = 1 / math.sqrt(p["W_hh"].shape[1])
    for value in p.values():
        value.uniform_(-bound, bound, generator=rng)


def glorot(spec: CellSpec, p: Arrays, rng: Generator) -> None:
    """Uniform with variance 2/(fan in + fan out) in every block, biases zero (Glorot & Bengio 2010)."""
    for name in ("W_ih", "W_hh"):
        for block in _blocks(spec, p[name]):
            init.xavier_uniform_(block, generator=rng)
    _zero_biases(p)


def orthogonal(spec: CellSpec, p: Arrays, rng: Generator, gain: float = 1.0) -> None:
    """W_hh orthogonal times ``gain`` (0…10) in every block, W_ih Glorot, biases zero (Saxe et al. 2014)."""
    gain = check.real("gain", gain, 0.0, 10.0)
    for block in _blocks(spec, p["W_ih"]):
        init.xavier_uniform_(block, generator=rng)
    for block in _blocks(spec, p["W_hh"]):
        init.orthogonal_(block, gain, generator=rng)
    _zero_biases(p)


def identity(spec: CellSpec, p: Arrays, rng: Generator, gain: float = 1.0, std: float = 0.001) -> None:
    """W_hh the identity times ``gain`` (0…10) in every block, W_ih ~ N(0, ``std``²), biases zero.

    Le, Jaitly & Hinton 2015 (IRNN), there for a network of rectified units.
    """
    gain = check.real("gain", gain, 0.0, 10.0)
    p["W_ih"].normal_(0.0, check.real("std", std, 0.0, 10.0), generator=rng)
    for block in _blocks(spec, p["W_hh"]):
        init.eye_(block).mul_(gain)
    _zero_biases(p)


def scaled(spec: CellSpec, p: Arrays, rng: Generator, radius: float = 1.0) -> None:
    """PyTorch's draw, then every block of W_hh rescaled to spectral radius ``radius`` (0…10)."""
    radius = check.real("radius", radius, 0.0, 10.0)
    torch_default(spec, p, rng)
    for block in _blocks(spec, p["W_hh"]):
        block.mul_(radius / torch.linalg.eigvals(block).abs().max())


def chrono(spec: CellSpec, p: Arrays, rng: Generator, t_max: float = 100.0) -> None:
    """PyTorch's draw, then gate biases for memories of 1…``t_max`` steps (t_max 2…10⁶).

    The gate that keeps gets b ~ log U[1, t_max - 1] and the gate that writes gets -b
    (Tallec & Ollivier 2018, section 3).
    """
    t_max = check.real("t_max", t_max, 2.0, 1e6)
    signs = {gate.name: gate.memory for gate in spec.gates if gate.memory}
    if not signs:
        raise ValueError(
            f"scheme is 'chrono'; {spec.name} has no gate that keeps memory: allowed for gated cells"
        )
    torch_default(spec, p, rng)
    H = p["W_hh"].shape[1]
    bias = torch.empty(H, dtype=p["W_hh"].dtype).uniform_(1.0, t_max - 1.0, generator=rng).log()
    for name, sign in signs.items():
        set_bias(spec, p, name, sign * bias)


SCHEMES: dict[str, Callable[..., None]] = {
    "torch": torch_default,
    "orthogonal": orthogonal,
    "identity": identity,
    "scaled": scaled,
    "glorot": glorot,
    "chrono": chrono,
}


def set_bias(spec: CellSpec, p: Arrays, gate: str, bias: Tensor | float) -> None:
    """Give one gate this bias: all of it in b_ih, nothing in b_hh."""
    k = spec.blocks.index(gate)
    p["b_ih"].chunk(len(spec.blocks))[k].copy_(torch.as_tensor(bias, dtype=p["b_ih"].dtype))
    p["b_hh"].chunk(len(spec.blocks))[k].zero_()


def _blocks(spec: CellSpec, matrix: Tensor) -> tuple[Tensor, ...]:
    return matrix.chunk(len(spec.blocks))


def _zero_biases(p: Arrays) -> None:
    p["b_ih"].zero_()
    p["b_hh"].zero_()
