"""Into and out of ``torch.nn``: one layer and direction of any recurrent module is a cell here."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rnnviz.engine import check
from rnnviz.engine.cells import CELLS
from rnnviz.engine.spec import CellSpec, Params

_MODULES: dict[type[Any], str] = {  # the sequence modules first: `to_torch` builds the first that fits
    nn.RNN: "rnn",
    nn.LSTM: "lstm",
    nn.GRU: "gru",
    nn.RNNCell: "rnn",
    nn.LSTMCell: "lstm",
    nn.GRUCell: "gru",
}
_SUFFIX = {0: "", 1: "_reverse", "forward": "", "backward": "_reverse", "reverse": "_reverse"}


def from_torch(
    module: nn.Module, layer: int = 0, direction: int | str = "forward"
) -> tuple[CellSpec, dict[str, Tensor]]:
    """The cell inside a ``torch.nn`` module, with a copy of its parameters.

    Args:
        module: ``nn.RNN``, ``nn.LSTM``, ``nn.GRU`` or one of their ``…Cell`` modules.
        layer: 0…num_layers-1.
        direction: ``"forward"`` or ``"backward"`` (0 or 1). A backward layer reads its input from the
            end: give it ``x.flip(0)``.

    Returns:
        ``(spec, params)``; missing biases come back as zeros.

    Raises:
        ValueError: another module, a projected LSTM, or a layer or direction that it has not.
    """
    name = next((name for kind, name in _MODULES.items() if isinstance(module, kind)), None)
    if name is None:
        allowed = ", ".join(kind.__name__ for kind in _MODULES)
        raise ValueError(f"module is a {type(module).__name__}; allowed: {allowed}")
    if getattr(module, "proj_size", 0):
        raise ValueError(f"proj_size is {module.proj_size}; allowed: 0, the cell here has no projection")
    if direction not in _SUFFIX:
        raise ValueError(f"direction is {direction!r}; allowed: 'forward' and 'backward'")
    one_cell = isinstance(module, nn.RNNCellBase)
    check.whole("layer", layer, 0, int(getattr(module, "num_layers", 1)) - 1)
    if _SUFFIX[direction] and not getattr(module, "bidirectional", False):
        raise ValueError(
            f"direction is {direction!r}; this module is not bidirectional: allowed is 'forward'"
        )
    spec = CELLS[name]
    if "activation" in dict(spec.options):
        spec = spec.with_options(activation=module.nonlinearity)
    suffix = "" if one_cell else f"_l{layer}{_SUFFIX[direction]}"
    found = dict(module.named_parameters())
    W_ih, W_hh = (found[f"weight_{k}{suffix}"].detach().clone() for k in ("ih", "hh"))
    b_ih, b_hh = (
        found[f"bias_{k}{suffix}"].detach().clone()
        if f"bias_{k}{suffix}" in found
        else W_hh.new_zeros(len(W_hh))
        for k in ("ih", "hh")
    )
    return spec, {"W_ih": W_ih, "W_hh": W_hh, "b_ih": b_ih, "b_hh": b_hh}


def to_torch(spec: CellSpec | tuple[CellSpec, Params], params: Params | None = None) -> nn.RNNBase:
    """A one-layer ``torch.nn`` module that computes what this cell computes.

    Args:
        spec: the cell, or the pair that `from_torch` returns.
        params: its parameters, where ``spec`` is the cell alone.

    Returns:
        ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU`` of the parameters' type. A GRU whose z takes the candidate
        becomes PyTorch's by turning the sign of z's rows, since σ(-a) = 1 - σ(a).

    Raises:
        ValueError: a convention that PyTorch does not have.
    """
    if isinstance(spec, tuple):
        spec, params = spec
    if params is None:
        raise ValueError("params is None; needed: the cell's parameters")
    D, H = check.sizes(spec, params)
    options = dict(spec.options)
    arguments: dict[str, Any] = {}
    if "activation" in options:
        if options["activation"] not in ("tanh", "relu"):
            raise ValueError(
                f"activation is {options['activation']!r}; torch.nn.RNN allows 'tanh' and 'relu'"
            )
        arguments["nonlinearity"] = options["activation"]
    if "connection" in options:
        raise ValueError(f"connection is {options['connection']!r}; torch.nn.RNN allows 'plain'")
    if options.get("reset") == "before":
        raise ValueError("reset is 'before'; torch.nn.GRU allows 'after'")
    kind = next((kind for kind, name in _MODULES.items() if name == spec.name), None)
    if kind is None:
        raise ValueError(
            f"{spec.name} has no module in torch.nn; allowed: {', '.join(sorted(set(_MODULES.values())))}"
        )
    values = {name: value.clone() for name, value in params.items()}
    if options.get("z") == "takes":
        z = spec.blocks.index("z")
        for value in values.values():
            value.chunk(len(spec.blocks))[z].neg_()
    # Made on the meta device, where torch.nn's own initialisation draws nothing from the global generator.
    module: nn.RNNBase = kind(D, H, dtype=values["W_hh"].dtype, device="meta", **arguments)
    module.to_empty(device=values["W_hh"].device)
    with torch.no_grad():
        for name, value in values.items():
            target = {"W": "weight", "b": "bias"}[name[0]] + name[1:] + "_l0"
            getattr(module, target).copy_(value)
    return module
