"""One step of a cell under a constant input, as a map from states to states."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnviz.engine.jacobians import derived_jacobian
from rnnviz.engine.spec import CellSpec, Params


class StepMap:
    """One step of a cell under a constant input, as a map of its stacked states."""

    def __init__(self, spec: CellSpec, params: Params, x: Tensor) -> None:
        """Of this cell, with x (D,)."""
        self._spec, self._params, self._x = spec, params, x
        self._ax = spec.project(x, params)
        H = params["W_hh"].shape[1]
        self._low, self._high = (
            torch.tensor(ends, dtype=torch.float64).repeat_interleave(H)
            for ends in ([state.low for state in spec.states], [state.high for state in spec.states])
        )

    def within(self, s: Tensor) -> Tensor:
        """The nearest states (N,S) in the range that the cell's states can take."""
        return torch.minimum(torch.maximum(s, self._low), self._high)

    def __call__(self, s: Tensor) -> Tensor:
        """f(s), (N,S) -> (N,S)."""
        after, _ = self._run(s)
        return torch.cat([after[name] for name in self._spec.state_names], 1)

    def jacobian(self, s: Tensor) -> Tensor:
        """∂f/∂s, (N,S) -> (N,S,S): closed form where the cell has one."""
        spec, before = self._spec, self._split(s)
        if spec.jacobian is None:
            x = self._x.expand(1, len(s), -1)
            return derived_jacobian(
                spec, self._params, x, {name: part.unsqueeze(0) for name, part in before.items()}
            )[0]
        after, gates = self._run(s)
        J: Tensor = spec.jacobian(self._params, before, after, gates)
        return J

    def _run(self, s: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        return self._spec.step(self._ax.expand(len(s), -1), self._split(s), self._params)

    def _split(self, s: Tensor) -> dict[str, Tensor]:
        names = self._spec.state_names
        return dict(zip(names, s.chunk(len(names), 1), strict=True))
