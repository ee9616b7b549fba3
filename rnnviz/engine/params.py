"""A cell's parameters: drawn from a seed, and counted."""

from __future__ import annotations

from inspect import signature

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.schemes import SCHEMES, set_bias
from rnnviz.engine.spec import CellSpec, Params


def init_params(
    spec: CellSpec,
    input_size: int,
    hidden_size: int,
    seed: int = 0,
    scheme: str = "torch",
    dtype: torch.dtype = torch.float64,
    *,
    forget_bias: float | None = None,
    **scheme_options: float,
) -> dict[str, Tensor]:
    """Draw a cell's parameters from their own generator.

    Everything is drawn in float64 and then rounded, so that float32 and float64 runs of one seed
    start from the same numbers.

    Args:
        spec: the cell.
        input_size: D, at least 1.
        hidden_size: H, at least 1.
        seed: 0…2⁶³-1.
        scheme: one of ``SCHEMES``.
        dtype: float32 or float64.
        forget_bias: the forget gate's bias, -100…100, for cells that have the gate.
        **scheme_options: ``gain`` (orthogonal, identity), ``std`` (identity), ``radius`` (scaled),
            ``t_max`` (chrono).

    Returns:
        W_ih (G·H,D), W_hh (G·H,H), b_ih (G·H,), b_hh (G·H,).

    Raises:
        ValueError: naming the field, its value and what is allowed.

    >>> from rnnviz.engine import CELLS
    >>> {k: tuple(v.shape) for k, v in init_params(CELLS["gru"], 2, 4).items()}
    {'W_ih': (12, 2), 'W_hh': (12, 4), 'b_ih': (12,), 'b_hh': (12,)}
    """
    D = check.whole("input_size", input_size, 1)
    H = check.whole("hidden_size", hidden_size, 1)
    check.whole("seed", seed, 0, 2**63 - 1)
    if scheme not in SCHEMES:
        raise ValueError(f"scheme is {scheme!r}; allowed: {', '.join(map(repr, SCHEMES))}")
    if dtype not in check.FLOATS:
        raise ValueError(f"dtype is {dtype}; allowed: torch.float32 and torch.float64")
    allowed = list(signature(SCHEMES[scheme]).parameters)[3:]
    for name in scheme_options:
        if name not in allowed:
            raise ValueError(
                f"scheme {scheme!r} has no option {name!r}; its options: {', '.join(allowed) or 'none'}"
            )
    G = len(spec.blocks)
    shapes = {"W_ih": (G * H, D), "W_hh": (G * H, H), "b_ih": (G * H,), "b_hh": (G * H,)}
    with torch.no_grad():
        p = {name: torch.empty(shape, dtype=torch.float64) for name, shape in shapes.items()}
        SCHEMES[scheme](spec, p, torch.Generator().manual_seed(seed), **scheme_options)
        if forget_bias is not None:
            if "f" not in spec.gate_names:
                raise ValueError(
                    f"forget_bias is {forget_bias!r}; {spec.name} has no forget gate: allowed is None"
                )
            set_bias(spec, p, "f", check.real("forget_bias", forget_bias, -100.0, 100.0))
        return {name: value.to(dtype) for name, value in p.items()}


def count_params(params: Params) -> int:
    """How many numbers a cell learns, both of PyTorch's biases counted: G(DH + H² + 2H)."""
    return sum(value.numel() for value in params.values())
