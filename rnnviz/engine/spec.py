"""What a cell is: its states, gates and equations, and the pure functions that compute them.

Nothing outside a cell's own file knows which cell it is looking at; everything it needs
(names, symbols, ranges, equations, colours' keys) it reads from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from rnnviz.engine.graph import Graph, Stage

if TYPE_CHECKING:
    from rnnviz.engine.kernels.kernel import Kernel

State = dict[str, Tensor]  # name -> (B, H)
Gates = dict[str, Tensor]  # name -> (B, H)
Pull = Callable[[Sequence[Tensor], int, Sequence[Tensor]], None]
Params = Mapping[str, Tensor]  # PyTorch's names and layout: W_ih (G·H,D), W_hh (G·H,H), b_ih, b_hh (G·H)


@dataclass(frozen=True)
class StateSpec:
    """Something a cell carries from step to step.

    Attributes:
        name: key in ``Trace.states``.
        symbol: LaTeX, without the time index.
        title: what a lecturer calls it.
        low, high: the range it can take; infinite where nothing bounds it.
    """

    name: str
    symbol: str
    title: str
    low: float
    high: float


@dataclass(frozen=True)
class GateSpec:
    """A block inside a cell, as recorded in ``Trace.gates``.

    Attributes:
        name, symbol, title, low, high: as for `StateSpec`.
        memory: +1 if opening it keeps what is remembered, -1 if closing it does, 0 if neither;
            chrono initialisation reads this.
    """

    name: str
    symbol: str
    title: str
    low: float
    high: float
    memory: int = 0


@dataclass(frozen=True)
class Equation:
    """One line of a cell, in symbols and as a template for its numbers.

    Attributes:
        name: the gate or state it yields.
        latex: in lecture notation: W acts on the input, U on the state, b is the bias.
        numbers: the right-hand side with ``{name}`` for the values of `CellSpec.terms`, of the
            gates, of the new states, and of the previous states as ``{h_prev}``; ``{name:+}`` asks
            for a value with its sign written as an operator.
    """

    name: str
    latex: str
    numbers: str


@dataclass(frozen=True)
class CellSpec:
    """A recurrent cell.

    Attributes:
        name, title: key in ``CELLS`` and what a lecturer calls it.
        states, gates: in the order in which Jacobians stack them and pictures show them.
        blocks: the blocks of the stacked matrices, in PyTorch's order.
        equations: in the order in which a lecture writes them.
        source: the paper, and what differs from it.
        pytorch: which options are PyTorch's.
        options, choices: the conventions chosen, and all that can be. An option that came later
            than kept runs is unsaid at its first choice.
        project: ``(x (...,D), params) -> (...,G·H)``: the input's part of the pre-activations, so
            that it is one matrix product for all steps.
        step: ``(ax (B,G·H), state, params) -> (state, gates)``; pure.
        terms: ``(x (B,D), previous state, gates, params) -> name -> (B,H)``: the parts that the
            pre-activations are sums of, for the equations' numbers.
        jacobian: ``(params, previous state, state, gates) -> (B,S,S)``: ∂s_t/∂s_{t-1} in closed
            form, s all states stacked; None to have it derived from `step`.
        pull: ``(params, previous state, state, gates)`` of n steps ``-> (V, k, out)``: takes V = ∂y/∂s_t, a
            (B,N,H) each state, through the k-th of them and writes ∂y/∂s_{t-1} into ``out``, faster than by
            the Jacobian itself; None to multiply with that.
        slope: ``(state, gates) -> (…,H)``: φ′ at every step, of a cell with a single nonlinearity on its way
            from state to state; None elsewhere.
        direct: ``gates -> (name, (…,H))``: the state that has a path of its own from step to step, and what
            it is multiplied by on it; None where there is no such path.
        kernel: makes a `Kernel`, the cell's own way to run and train many models at once; None where its
            plain definition and autograd have to do.
        graph: the dataflow of one step, which the cell's picture is drawn from.
        stages: the sub-steps in the order of the lectures.
        symbols: LaTeX for those values of `terms` that are not written ``W_k x_t``, ``U_k h_{t-1}``, ``b_k``.
        code: `project` and `step` as a reader would write them in PyTorch, operation for operation: from
            ``x``, ``t``, ``H``, the parameters and the states' names to ``ax``, the gates and the new states.
        build: ``(**options) -> CellSpec``.
    """

    name: str
    title: str
    states: tuple[StateSpec, ...]
    gates: tuple[GateSpec, ...]
    blocks: tuple[str, ...]
    equations: tuple[Equation, ...]
    source: str
    pytorch: str
    project: Callable[[Tensor, Params], Tensor] = field(compare=False, repr=False)
    step: Callable[[Tensor, State, Params], tuple[State, Gates]] = field(compare=False, repr=False)
    terms: Callable[[Tensor, State, Gates, Params], dict[str, Tensor]] = field(compare=False, repr=False)
    graph: Graph = field(repr=False)
    stages: tuple[Stage, ...] = field(repr=False)
    code: tuple[str, str] = field(compare=False, repr=False)
    build: Callable[..., CellSpec] = field(compare=False, repr=False)
    jacobian: Callable[[Params, State, State, Gates], Tensor] | None = field(
        default=None, compare=False, repr=False
    )
    pull: Callable[[Params, State, State, Gates], Pull] | None = field(
        default=None, compare=False, repr=False
    )
    slope: Callable[[State, Gates], Tensor] | None = field(default=None, compare=False, repr=False)
    direct: Callable[[Gates], tuple[str, Tensor]] | None = field(default=None, compare=False, repr=False)
    kernel: Callable[[], Kernel] | None = field(default=None, compare=False, repr=False)
    symbols: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the states, in order."""
        return tuple(state.name for state in self.states)

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates, in order."""
        return tuple(gate.name for gate in self.gates)

    def option(self, name: str) -> str:
        """The chosen value of one option: the first of its choices where `options` leaves it unsaid."""
        return dict(self.options).get(name, dict(self.choices)[name][0])

    def with_options(self, **changes: Any) -> CellSpec:
        """The same cell under another convention.

        Args:
            **changes: one of ``choices`` each, e.g. ``reset="before"``.

        Raises:
            ValueError: an option that the cell has not, or a value it does not allow.

        >>> from rnnviz.engine import CELLS
        >>> CELLS["gru"].with_options(z="takes").option("z")
        'takes'
        """
        choices = dict(self.choices)
        for name, value in changes.items():
            if name not in choices:
                known = ", ".join(choices) or "none"
                raise ValueError(f"{self.name} has no option {name!r}; its options: {known}")
            if value not in choices[name]:
                raise ValueError(
                    f"{self.name}: {name} is {value!r}; allowed: {', '.join(map(repr, choices[name]))}"
                )
        return self.build(**{**dict(self.options), **changes})

    def zero_state(self, like: Tensor, hidden_size: int) -> State:
        """All states at zero, (B,H) each, with the batch, type and device of ``like`` (T,B,D)."""
        return {name: like.new_zeros(like.shape[1], hidden_size) for name in self.state_names}
