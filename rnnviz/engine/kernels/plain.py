"""Any cell, by its plain definition and autograd: what the other kernels are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rnnviz.engine.kernels.kernel import Gradients
from rnnviz.engine.spec import CellSpec, Gates, Params, State


class Plain:
    """K models one after another, differentiated by autograd; see `Kernel`."""

    def __init__(self, spec: CellSpec) -> None:
        """Run this cell."""
        self._spec = spec
        self._models: list[_Model] = []

    def forward(
        self,
        params: Params,
        x: Tensor,
        state0: Mapping[str, Tensor] | None = None,
        truncate: int | None = None,
    ) -> dict[str, Tensor]:
        """As in `Kernel`."""
        zero = self._spec.zero_state(x[:, 0], params["W_hh"].shape[2])
        self._models = [
            _Model(
                self._spec,
                {name: value[k] for name, value in params.items()},
                x[:, k],
                {**zero, **{name: value[k] for name, value in (state0 or {}).items()}},
                truncate or len(x),
            )
            for k in range(x.shape[1])
        ]
        return self._stacked([model.states for model in self._models])

    def gates(self) -> State:
        """As in `Kernel`."""
        return self._stacked([model.gates for model in self._models])

    def backward(self, d_h: Tensor) -> Gradients:
        """As in `Kernel`."""
        found = [model.backward(d_h[:, k]) for k, model in enumerate(self._models)]
        return Gradients(
            {name: torch.stack([d[name] for d, _ in found], 1) for name in found[0][0]},
            {name: torch.stack([d[name] for _, d in found]) for name in found[0][1]},
        )

    @staticmethod
    def _stacked(records: Sequence[Sequence[State]]) -> State:
        """Of each model, of each step: name -> (B,H); together name -> (T,K,B,H)."""
        return {
            name: torch.stack([torch.stack([step[name] for step in steps]) for steps in records], 1).detach()
            for name in records[0][0]
        }


class _Model:
    """One model's run with its graph."""

    def __init__(self, spec: CellSpec, params: Params, x: Tensor, first: State, window: int) -> None:
        self.names = spec.state_names
        with torch.enable_grad():
            self.leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
            self.states: list[State] = [{name: v.detach().requires_grad_() for name, v in first.items()}]
            self.gates: list[Gates] = []
            for t, ax_t in enumerate(spec.project(x, self.leaves).unbind(0)):
                before = self.states[-1]
                if t and t % window == 0:
                    before = {name: value.detach() for name, value in before.items()}
                state, gates = spec.step(ax_t, before, self.leaves)
                self.states.append(state)
                self.gates.append(gates)

    def backward(self, d_h: Tensor) -> tuple[State, dict[str, Tensor]]:
        """Gradients of all states, name -> (T+1,B,H), and of the parameters."""
        wanted = [state[name] for name in self.names for state in self.states]
        found = torch.autograd.grad(
            [state["h"] for state in self.states[1:]],
            [*wanted, *self.leaves.values()],
            list(d_h),
            retain_graph=True,
            materialize_grads=True,
        )
        n = len(self.states)
        d_states = {name: torch.stack(found[k * n : (k + 1) * n]) for k, name in enumerate(self.names)}
        return d_states, dict(zip(self.leaves, found[len(wanted) :], strict=True))
