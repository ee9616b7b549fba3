"""Gradient clipping: the whole gradient rescaled, or every entry cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.norms import log_norm
from rnnviz.engine.stack import clip_coefficients


@dataclass(frozen=True)
class Clip:
    """How a gradient is clipped.

    Attributes:
        by: ``norm``: g ← θ g/‖g‖ where ‖g‖ > θ, over all parameters together, as ``clip_grad_norm_`` of
            ``torch.nn.utils``; or ``value``: every entry into [-θ, θ], as ``clip_grad_value_``.
        threshold: θ, from 1e-30 to 1e30.

    Raises:
        ValueError: another way, or a threshold that is none.

    Source: Pascanu, Mikolov & Bengio 2013, algorithm 1 (by norm).
    """

    by: str
    threshold: float

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.by not in ("norm", "value"):
            raise ValueError(f"clip is by {self.by!r}; allowed: 'norm', 'value'")
        check.real("clip threshold", self.threshold, 1e-30, 1e30)

    def apply(self, gradients: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float]:
        """The clipped gradients, and what they were multiplied with: 1 where it is by value."""
        if self.by == "value":
            return {name: g.clamp(-self.threshold, self.threshold) for name, g in gradients.items()}, 1.0
        scale = clip_coefficients(global_norm(gradients), self.threshold).item()
        return {name: g * scale for name, g in gradients.items()}, scale


def global_norm(gradients: Mapping[str, Tensor]) -> Tensor:
    """‖g‖₂ over all parameters, float64; no square over- or underflows on the way."""
    return log_norm(torch.cat([g.flatten().double() for g in gradients.values()]).unsqueeze(0)).exp()[0]
