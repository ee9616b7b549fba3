"""The affine part that cells share: input and state through stacked matrices, with a bias."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import linear

from rnnviz.engine.spec import Params


def project_with_both_biases(x: Tensor, params: Params) -> Tensor:
    """W x + b_ih + b_hh, (...,D) -> (...,G·H): for cells whose two biases simply add."""
    return linear(x, params["W_ih"], params["b_ih"] + params["b_hh"])


PROJECT_CODE = "ax = torch.nn.functional.linear(x, W_ih, b_ih + b_hh)"


def linear_terms(blocks: Sequence[str], x: Tensor, h: Tensor, params: Params) -> dict[str, Tensor]:
    """The three parts of each block's pre-activation: ``Wx_k``, ``Uh_k`` and ``b_k``.

    Args:
        blocks: names k of the stacked blocks, in order.
        x: (B,D).
        h: (B,H).
        params: the cell's parameters.

    Returns:
        (B,H) each; their sum is the block's pre-activation.
    """
    n = len(blocks)
    parts = {
        "Wx": linear(x, params["W_ih"]).chunk(n, -1),
        "Uh": linear(h, params["W_hh"]).chunk(n, -1),
        "b": (params["b_ih"] + params["b_hh"]).expand(x.shape[0], -1).chunk(n, -1),
    }
    return {
        f"{part}_{k}": value
        for part, values in parts.items()
        for k, value in zip(blocks, values, strict=True)
    }
