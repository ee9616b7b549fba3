"""One place for what the engine refuses, in sentences that name field, value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.engine.spec import CellSpec, Params, State

FLOATS = (torch.float32, torch.float64)


def whole(name: str, value: object, low: int, high: int | None = None) -> int:
    """``value`` as an int within [low, high], or a ValueError that says so."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or value < low
        or (high is not None and value > high)
    ):
        allowed = f"a whole number from {low}" + (f" to {high}" if high is not None else " up")
        raise ValueError(f"{name} is {value!r}; allowed: {allowed}")
    return value


def real(name: str, value: object, low: float, high: float) -> float:
    """``value`` as a finite float within [low, high], or a ValueError that says so."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; allowed: a number from {low:g} to {high:g}")
    return float(value)


def finite(name: str, value: Tensor, axes: str) -> None:
    """Refuse NaN and Inf, naming the first place where one stands; ``axes`` is e.g. ``"tbd"``."""
    if torch.isfinite(value.sum()):
        return  # one number that is not finite would have made the sum so, and this takes a sixth of the time
    bad = ~torch.isfinite(value)
    if bad.any():
        place = bad.nonzero()[0].tolist()
        where = ", ".join(f"{axis}={k}" for axis, k in zip(axes, place, strict=True))
        raise ValueError(f"{name}[{where}] is {value[tuple(place)].item()}; allowed: finite numbers")


def sizes(spec: CellSpec, params: Params) -> tuple[int, int]:
    """Input size D and hidden size H of a cell's parameters.

    Raises:
        ValueError: a missing parameter, a shape that does not fit the others, or mixed types.
    """
    missing = [name for name in ("W_ih", "W_hh", "b_ih", "b_hh") if name not in params]
    if missing:
        raise ValueError(f"params lacks {', '.join(missing)}; {spec.name} needs W_ih, W_hh, b_ih and b_hh")
    W_ih, W_hh = params["W_ih"], params["W_hh"]
    if W_ih.dim() != 2 or W_hh.dim() != 2:
        raise ValueError(f"W_ih and W_hh have {W_ih.dim()} and {W_hh.dim()} axes; allowed: 2 each")
    G, D, H = len(spec.blocks), W_ih.shape[1], W_hh.shape[1]
    wanted = {"W_ih": (G * H, D), "W_hh": (G * H, H), "b_ih": (G * H,), "b_hh": (G * H,)}
    for name, shape in wanted.items():
        if tuple(params[name].shape) != shape:
            raise ValueError(
                f"{name} has shape {tuple(params[name].shape)}; {spec.name} with H={H} needs {shape}"
            )
        if params[name].dtype != W_hh.dtype or params[name].dtype not in FLOATS:
            raise ValueError(f"{name} is {params[name].dtype}; allowed: all float32 or all float64")
    return D, H


def inputs(spec: CellSpec, params: Params, x: Tensor, state0: Mapping[str, Tensor] | None) -> State:
    """Check x (T,B,D) and the initial state against the parameters; return the whole initial state.

    States that ``state0`` does not name start at zero.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """
    D, H = sizes(spec, params)
    if not isinstance(x, Tensor):
        raise ValueError(f"x is a {type(x).__name__}; allowed: a tensor (T, B, D)")
    if x.dim() != 3 or 0 in x.shape:
        raise ValueError(f"x has shape {tuple(x.shape)}; allowed: (T, B, D), each at least 1")
    if x.shape[2] != D:
        raise ValueError(f"x has {x.shape[2]} features; W_ih takes {D}")
    if x.dtype != params["W_hh"].dtype:
        raise ValueError(f"x is {x.dtype}; the parameters are {params['W_hh'].dtype}: they must agree")
    finite("x", x, "tbd")
    state = spec.zero_state(x, H)
    for name, value in (state0 or {}).items():
        if name not in state:
            raise ValueError(f"state0 names {name!r}; {spec.name} has {', '.join(state)}")
        if tuple(value.shape) != (x.shape[1], H):
            raise ValueError(f"state0[{name!r}] has shape {tuple(value.shape)}; needed: {(x.shape[1], H)}")
        if value.dtype != x.dtype:
            raise ValueError(f"state0[{name!r}] is {value.dtype}; x is {x.dtype}: they must agree")
        finite(f"state0[{name!r}]", value, "bh")
        state[name] = value
    return state
