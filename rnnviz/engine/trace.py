"""The records that the engine returns: frozen, detached, ready to be cached, pickled and charted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnviz.engine.factors import Factor, assembled
from rnnviz.engine.norms import log_norm, log_spectral_norm


@dataclass(frozen=True)
class Trace:
    """Everything a cell did, forward through time.

    Attributes:
        x: the input, (T,B,D).
        states: name -> (T+1,B,H); index 0 is the initial state.
        gates: name -> (T,B,H); index t-1 belongs to step t.
    """

    x: Tensor
    states: dict[str, Tensor]
    gates: dict[str, Tensor]

    @property
    def T(self) -> int:
        """Number of steps."""
        return self.x.shape[0]

    @property
    def nbytes(self) -> int:
        """Bytes that this record keeps alive beside its input."""
        kept = {
            v.untyped_storage().data_ptr(): v.untyped_storage().nbytes() for v in self._recorded().values()
        }
        return sum(kept.values())

    def first_nonfinite(self) -> tuple[str, int] | None:
        """Name and step (1…T) where NaN or Inf first appears, None where all is finite.

        At one step gates come before states, as they do inside a cell.
        """
        found = []
        for order, (name, value) in enumerate({**self.gates, **self.states}.items()):
            bad = (~torch.isfinite(value)).flatten(1).any(1).nonzero()
            if len(bad):
                found.append((int(bad[0]) + (1 if name in self.gates else 0), order, name))
        return (min(found)[2], min(found)[0]) if found else None

    def _recorded(self) -> dict[str, Tensor]:
        return {**self.gates, **self.states}


@dataclass(frozen=True)
class GradTrace:
    """One backward pass through time.

    Attributes:
        loss: the loss's value.
        d_states: name -> (T+1,B,H): the total derivatives dL/ds_t, as autograd has them. For an LSTM
            dL/dc_t includes the path through h_t; the partial derivative at fixed h_t does not.
        d_loss: (T,B,H): what the loss itself asks of h_t, later steps held fixed.
        d_params: name -> the parameter's shape; clipped, if that was asked for.
        d_x: dL/dx_t, (T,B,D).
        parts: name -> what `contributions` is made of; empty where something was held.
        clip_scale: what clipping by norm multiplied d_params with, 1 where it did nothing.
    """

    loss: float
    d_states: dict[str, Tensor]
    d_loss: Tensor
    d_params: dict[str, Tensor]
    d_x: Tensor
    parts: Mapping[str, tuple[Factor, ...] | Tensor]
    clip_scale: float = 1.0

    def contributions(self, name: str) -> Tensor:
        """What each step adds to the gradient of a parameter, (T,*shape); their sum is d_params, not clipped.

        Raises:
            ValueError: where something was held, or a parameter that there is not.
        """
        if name not in self.parts:
            raise ValueError(
                f"contributions are asked for of {name!r}; there are: {', '.join(self.parts) or 'none'}"
            )
        parts = self.parts[name]
        return parts if isinstance(parts, Tensor) else assembled(parts, self.d_params[name])

    def contribution_log_norms(self, name: str) -> Tensor:
        """ln of the Euclidean norm of what each step adds to a parameter's gradient, (T,), float64."""
        parts = self.parts.get(name, ())
        if isinstance(parts, Tensor) or not parts:
            return log_norm(self.contributions(name))
        logs = torch.stack([factor.log_norm() for factor in parts])  # of rows that have none in common
        return torch.logsumexp(2 * logs, 0) / 2

    def norms(self, name: str) -> Tensor:
        """‖dL/ds_t‖₂ over batch and units, (T+1,), float64; right even where its square would be zero."""
        return self.log_norms(name).exp()

    def log_norms(self, name: str) -> Tensor:
        """Natural logarithm of `norms`, (T+1,); -inf where the gradient is exactly zero."""
        return log_norm(self.d_states[name])


@dataclass(frozen=True)
class JacobianTrace:
    """How each step, and all steps from t on, carry a small change of the state.

    Attributes:
        states: the states' names, in the order in which S = H · len(states) stacks them.
        step: ∂s_t/∂s_{t-1}, (T,B,S,S); index t-1 belongs to step t.
        log_norms: ln ‖∂s_T/∂s_t‖₂, (T+1,B), float64; 0 at t = T, -inf where the product is exactly zero.
    """

    states: tuple[str, ...]
    step: Tensor
    log_norms: Tensor

    def block(self, of: str, wrt: str) -> Tensor:
        """∂of_t/∂wrt_{t-1} with the other states held fixed, (T,B,H,H), a view."""
        return block(self.step, self.states, of, wrt)

    def step_log_norms(self, of: str, wrt: str | None = None) -> Tensor:
        """ln ‖∂of_t/∂wrt_{t-1}‖₂, (T,B), float64; ``wrt`` is ``of`` unless said."""
        return log_spectral_norm(self.block(of, wrt or of))


def block(step: Tensor, states: tuple[str, ...], of: str, wrt: str) -> Tensor:
    """∂of_t/∂wrt_{t-1} out of step Jacobians (…,S,S) that stack these states, (…,H,H), a view."""
    H = step.shape[-1] // len(states)
    row, column = states.index(of) * H, states.index(wrt) * H
    return step[..., row : row + H, column : column + H]
