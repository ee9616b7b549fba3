"""Batches of K models as one, and the part of it that counts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from rnnviz.engine.task import Batch


def stacked(batches: Sequence[Batch], dtype: torch.dtype) -> Batch:
    """One batch a model, (T,B,…), as one (T,K,B,…); shorter ones are padded with steps that do not count."""
    T = max(len(batch.x) for batch in batches)

    def together(parts: Sequence[Tensor]) -> Tensor:
        whole = [pad(part, (0, 0) * (part.dim() - 1) + (0, T - len(part))) for part in parts]
        value = torch.stack(whole, 1)
        return value.to(dtype) if value.is_floating_point() else value

    legal = [batch.legal for batch in batches if batch.legal is not None]
    return Batch(
        together([batch.x for batch in batches]),
        together([batch.y for batch in batches]),
        together([batch.mask for batch in batches]),
        together(legal) if legal else None,
    )


def counted(batch: Batch) -> tuple[Batch, Tensor]:
    """The steps of (T,…,B,…) at which any answer counts, and which they are: no other need be read out."""
    steps = (batch.mask != 0).flatten(1).any(1).nonzero().flatten()
    legal = None if batch.legal is None else batch.legal[steps]
    return Batch(batch.x[steps], batch.y[steps], batch.mask[steps], legal), steps
