"""The run of a network in its principal directions, and where its map stands still."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnviz.engine import FixedPoints, fixed_points, unroll
from rnnviz.engine.pca import principal_directions
from rnnviz.experiment import Input, Model

AHEAD = 1e6  # a path is drawn until a state is larger
STARTS = 24  # of Newton's method from the path, and as many drawn at random
ITERATIONS = 100


@dataclass(frozen=True)
class Setting:
    """A network and what it is given.

    Attributes:
        model: the network.
        source: its input; None to leave it to itself, x = 0, from a random first state.
        steps: T of a run without input.
    """

    model: Model
    source: Input | None
    steps: int

    @property
    def x(self) -> Tensor:
        """(T,1,D)."""
        if self.source is None:
            return torch.zeros(self.steps, 1, 1, dtype=torch.float64)
        return self.source.signal().x

    @property
    def first(self) -> dict[str, Tensor]:
        """The first state: zero with input; else uniform within its range and within ±1, from the seed."""
        spec, H = self.model.spec, self.model.hidden_size
        if self.source is not None:
            return spec.zero_state(self.x, H)
        rng = torch.Generator().manual_seed(self.model.seed)
        drawn = torch.rand(1, H * len(spec.states), generator=rng, dtype=torch.float64)
        low, high = (end.clamp(-1, 1) for end in ranges(self.model))
        parts = (low + (high - low) * drawn).chunk(len(spec.states), 1)
        return dict(zip(spec.state_names, parts, strict=True))

    @property
    def symbols(self) -> tuple[str, ...]:
        """What each step is called, or none."""
        return self.source.signal().symbols if self.source else ()


@dataclass(frozen=True)
class StateSpace:
    """A path and fixed points, s all states stacked.

    Attributes:
        path: s_0 … s_N, (N+1,S); N is less than T where the state ran away.
        T: steps that were run.
        directions: principal directions of the path, (k,S), k up to 3.
        shares: of its variance, (k,).
        fixed: fixed points under the input's mean.
    """

    path: Tensor
    T: int
    directions: Tensor
    shares: Tensor
    fixed: FixedPoints

    @property
    def middle(self) -> Tensor:
        """The path's mean, (S,)."""
        mean: Tensor = self.path.mean(0)
        return mean

    def places(self, s: Tensor) -> Tensor:
        """Where states (N,S) lie along the directions, (N,3); 0 along those that are not there."""
        found = (s - self.middle) @ self.directions.T
        padded: Tensor = torch.nn.functional.pad(found, (0, 3 - found.shape[1]))
        return padded

    def distances(self, s: Tensor) -> Tensor:
        """How far states (N,S) are from the space that the directions span, (N,)."""
        centred = s - self.middle
        beside: Tensor = centred - centred @ self.directions.T @ self.directions
        found: Tensor = torch.linalg.vector_norm(beside, dim=1)
        return found

    @property
    def extent(self) -> float:
        """The path's largest distance from its middle."""
        return float(torch.linalg.vector_norm(self.path - self.middle, dim=1).max())

    @property
    def drawn(self) -> Tensor:
        """Which fixed points are near enough to be drawn, (P,).

        Near: no farther from the space drawn than the path's extent, and within three of its middle.
        """
        away = torch.linalg.vector_norm(self.fixed.points - self.middle, dim=1)
        reach = max(self.extent, 1e-9)
        near: Tensor = (self.distances(self.fixed.points) <= reach) & (away <= 3 * reach)
        return near


def state_space(setting: Setting) -> StateSpace:
    """Run the network, and look for its fixed points from the path and from random states."""
    model, x = setting.model, setting.x
    spec = model.spec
    params = model.params(x.shape[2])
    trace = unroll(spec, params, x, setting.first)
    whole = torch.cat([trace.states[name][:, 0] for name in spec.state_names], 1)
    fine = (whole.abs() <= AHEAD).all(1).tolist()  # false for NaN, too
    path = whole[: [*fine, False].index(False)].clone()
    directions, shares = principal_directions(path, min(3, *path.shape))
    found = fixed_points(spec, params, x[:, 0].mean(0), starts(model, path), ITERATIONS)
    return StateSpace(path, len(x), directions, shares, found)


def starts(model: Model, path: Tensor) -> Tensor:
    """Where Newton's method begins: states along the path, evenly, and random ones, (N,S)."""
    along = torch.linspace(0, len(path) - 1, min(STARTS, len(path))).round().long()
    low, high = ranges(model)
    most = path.abs().max().clamp(min=1.0)  # how far a state without bounds is looked for
    low, high = low.clamp(min=-most), high.clamp(max=most)
    rng = torch.Generator().manual_seed(model.seed)
    drawn = torch.rand(STARTS, path.shape[1], generator=rng, dtype=torch.float64)
    return torch.cat([path[along], low + (high - low) * drawn])


def ranges(model: Model) -> tuple[Tensor, Tensor]:
    """The range of each number of the state, infinite where it has no bounds, (S,) and (S,)."""
    ends = [[state.low for state in model.spec.states], [state.high for state in model.spec.states]]
    low, high = (torch.tensor(end, dtype=torch.float64).repeat_interleave(model.hidden_size) for end in ends)
    return low, high
