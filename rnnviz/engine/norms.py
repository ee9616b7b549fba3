"""Norms in logarithms, so that nothing under- or overflows on the way."""

from __future__ import annotations

import torch
from torch import Tensor


def log_norm(values: Tensor) -> Tensor:
    """ln of the Euclidean norm over all axes but the first, (N,…) -> (N,), float64.

    Scaled by the largest entry first: squares of numbers below 1e-162 would be zero in float64.
    """
    flat = values.detach().flatten(1).double()
    scale = flat.abs().amax(1)
    safe = torch.where((scale > 0) & torch.isfinite(scale), scale, 1.0)
    return scale.log() + (flat / safe.unsqueeze(1)).square().sum(1).sqrt().clamp_min(1.0).log()


def log_spectral_norm(matrices: Tensor) -> Tensor:
    """ln of the largest singular value, (…,M,N) -> (…), float64; -inf for zero, nan where not finite.

    From the largest eigenvalue of the scaled Gram matrix: of all the spectrum only the largest value
    survives squaring with full relative accuracy, and it is the only one wanted.
    """
    M = matrices.detach().double()
    scale = M.abs().amax((-2, -1))
    usable = (scale > 0) & torch.isfinite(scale)
    M = (
        torch.where(usable[..., None, None], M, torch.zeros_like(M))
        / torch.where(usable, scale, 1.0)[..., None, None]
    )
    largest = torch.linalg.eigvalsh(M.mT @ M)[..., -1]
    log = scale.log() + 0.5 * largest.log()
    return torch.where(usable, log, torch.where(scale == 0, -torch.inf, torch.nan))
