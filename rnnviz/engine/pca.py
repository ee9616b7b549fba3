"""Principal components: the few directions in which a state moves most."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnviz.engine import check


def principal_components(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Where each row lies along the k directions of largest variance.

    Args:
        values: (N,H), finite.
        k: 1…min(N,H).

    Returns:
        Scores (N,k), and each direction's share of the variance (k,), descending; shares are zero where
        nothing varies. A direction's sign is fixed by making its largest weight positive.

    Raises:
        ValueError: not (N,H), not finite, or k out of range.
    """
    directions, shares = principal_directions(values, k)
    with torch.no_grad():
        return (values - values.mean(0)) @ directions.T, shares


def principal_directions(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k directions of largest variance, and each one's share of it.

    Args:
        values: (N,H), finite.
        k: 1…min(N,H).

    Returns:
        Unit vectors (k,H), and shares (k,), as in `principal_components`.

    Raises:
        ValueError: not (N,H), not finite, or k out of range.
    """
    if values.dim() != 2:
        raise ValueError(f"values has shape {tuple(values.shape)}; allowed: (N, H)")
    check.finite("values", values, "nh")
    check.whole("k", k, 1, min(values.shape))
    with torch.no_grad():
        _, s, directions = torch.linalg.svd(values - values.mean(0), full_matrices=False)
        signs = directions.gather(1, directions.abs().argmax(1, keepdim=True)).sign()
        total = s.square().sum()
        shares = s.square() / total if total > 0 else torch.zeros_like(s)
        return (directions * signs)[:k], shares[:k]
