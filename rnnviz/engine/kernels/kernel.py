"""What a kernel is: K models of one cell, stacked, forward and backward through time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from rnnviz.engine.spec import Params, State


@dataclass(frozen=True)
class Gradients:
    """One backward pass of K models.

    Attributes:
        d_states: name -> (T+1,K,B,H): the total derivatives dL/ds_t, as `GradTrace` has them.
        d_params: name -> (K,…): of each parameter.
    """

    d_states: dict[str, Tensor]
    d_params: dict[str, Tensor]


class Kernel(Protocol):
    """K models of one cell over B sequences each.

    A kernel owns its buffers: what `forward` and `backward` return is overwritten by their next call.
    """

    def forward(
        self,
        params: Params,
        x: Tensor,
        state0: Mapping[str, Tensor] | None = None,
        truncate: int | None = None,
    ) -> dict[str, Tensor]:
        """Run all models, keeping what the way back needs.

        Args:
            params: name -> (K,…), PyTorch's layout behind the leading axis.
            x: (T,K,B,D); T, B may differ from call to call.
            state0: name -> (K,B,H); what it does not name starts at zero.
            truncate: cut the way back into windows of so many steps: each starts from the last one's state
                as from a constant, so that nothing flows back across steps that are multiples of this.

        Returns:
            name -> (T+1,K,B,H), index 0 the initial state.
        """

    def gates(self) -> State:
        """The last forward run's gates, name -> (T,K,B,H)."""

    def backward(self, d_h: Tensor) -> Gradients:
        """Back through the last forward run.

        Args:
            d_h: (T,K,B,H): dL/dh_t with later steps held fixed, as the loss asks it.
        """
