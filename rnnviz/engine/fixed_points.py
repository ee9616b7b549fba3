"""Where a cell with a constant input stands still, s = f(s; θ, x), and what small changes do there."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.spec import CellSpec, Params
from rnnviz.engine.step_map import StepMap

# | |λ| - 1 | that rounding alone can make: where λ = 1 the point itself is known to about √ε only.
MARGIN = 1e-7
ASIDE, KINK = 1e-7, 1e-2  # how far a slope is tried, and by how much of itself it may be off
HALVINGS = 24  # of a Newton step that does not come nearer

STABLE, SADDLE, UNSTABLE, MARGINAL = "stable", "saddle", "unstable", "marginal"


@dataclass(frozen=True)
class FixedPoints:
    """P states that a step leaves where they are.

    Attributes:
        states: the states' names, in the order in which S = H · len(states) stacks them.
        points: (P,S), in order of their first coordinate, then the second, and so on.
        gaps: f(s) - s of each, (P,S): zero but for rounding.
        jacobians: ∂f/∂s there, (P,S,S).
        eigenvalues: of the Jacobians, (P,S), complex, the largest modulus first.
        smooth: whether the map has a Jacobian there, (P,): ReLU has none where its sum is 0.
        isolated: whether no other fixed point is next to it, (P,): where J - I has an inverse.
        found: starts that came to each point, (P,).
        starts: how many starts there were.
        missed: how many of them came to no fixed point.
    """

    states: tuple[str, ...]
    points: Tensor
    gaps: Tensor
    jacobians: Tensor
    eigenvalues: Tensor
    smooth: Tensor
    isolated: Tensor
    found: Tensor
    starts: int
    missed: int

    def __len__(self) -> int:
        """P."""
        return len(self.points)

    @property
    def residuals(self) -> Tensor:
        """‖f(s) - s‖₂ of each, (P,)."""
        sizes: Tensor = torch.linalg.vector_norm(self.gaps, dim=1)
        return sizes

    @property
    def stability(self) -> tuple[str, ...]:
        """``stable`` where all |λ| < 1, ``unstable`` where all are above, ``saddle`` between; P of them.

        ``marginal`` where an |λ| is 1 but for rounding, or the map has a kink: no linear part decides.
        """
        moduli = self.eigenvalues.abs()
        marginal = (((moduli - 1).abs() <= MARGIN).any(1) | ~self.smooth).tolist()
        grows = (moduli > 1).sum(1).tolist()
        of_all = self.points.shape[1]
        return tuple(
            MARGINAL if m else STABLE if n == 0 else UNSTABLE if n == of_all else SADDLE
            for m, n in zip(marginal, grows, strict=True)
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Stability, and ``node`` or ``focus``: whether the leading eigenvalue turns; P of them."""
        turns = (self.eigenvalues[:, 0].imag != 0).tolist()
        return tuple(
            f"{kind} {'focus' if turn else 'node'}" if kind in (STABLE, UNSTABLE) else kind
            for kind, turn in zip(self.stability, turns, strict=True)
        )


def fixed_points(
    spec: CellSpec,
    params: Params,
    x: Tensor,
    starts: Tensor,
    iterations: int = 100,
    tolerance: float = 1e-11,
    apart: float = 1e-6,
) -> FixedPoints:
    """Solve s = f(s; θ, x) by Newton's method from many starts at once.

    A step that does not come nearer is halved until it does; where J - I has no inverse, the shortest of
    the steps that fit best is taken. No step leaves the states' range: beyond it a gate that saturates
    makes any state look still. Each point is polished until rounding ends it.

    Args:
        spec: the cell.
        params: its parameters; float32 is computed in float64.
        x: the constant input, (D,).
        starts: (N,S), all states stacked in the spec's order.
        iterations: Newton steps at most, 1…10,000.
        tolerance: largest ‖f(s) - s‖∞ / (1 + ‖s‖∞) of what counts as a fixed point.
        apart: points nearer than this, in the same measure, are one.

    Returns:
        `FixedPoints`. What did not converge is counted in ``missed``. There may be more points than the
        starts led to, and where they form a line or plane (``isolated`` is False), there are.

    Raises:
        ValueError: naming the field, its value and what is allowed.

    Source: Newton's method; for trained networks Sussillo & Barak 2013, Opening the black box.

    >>> from rnnviz.engine import CELLS
    >>> one = torch.ones(1, 1, dtype=torch.float64)
    >>> params = {"W_ih": one, "W_hh": 2 * one, "b_ih": 0 * one[0], "b_hh": 0 * one[0]}
    >>> starts = torch.tensor([[-1.0], [0.1], [1.0]], dtype=torch.float64)
    >>> found = fixed_points(CELLS["rnn"], params, torch.zeros(1, dtype=torch.float64), starts)
    >>> [round(s, 6) for s in found.points[:, 0].tolist()], found.kinds
    ([-0.957504, 0.0, 0.957504], ('stable node', 'unstable node', 'stable node'))
    """
    params, x, starts = _checked(spec, params, x, starts)
    check.whole("iterations", iterations, 1, 10_000)
    check.real("tolerance", tolerance, 0.0, 1.0)
    check.real("apart", apart, 0.0, inf)
    with torch.no_grad():
        step = StepMap(spec, params, x)
        s = _newton(step, starts, iterations)
        gaps = step(s) - s
        good = gaps.abs().amax(1) <= tolerance * (1 + s.abs().amax(1))  # false for NaN, too
        points, found = merged(s[good], gaps[good], apart)
        J = step.jacobian(points)
        return FixedPoints(
            spec.state_names,
            points,
            step(points) - points,
            J,
            _eigenvalues(J),
            _smooth(step, points, J),
            _isolated(J),
            found,
            len(starts),
            int((~good).sum()),
        )


def _checked(spec: CellSpec, params: Params, x: Tensor, starts: Tensor) -> tuple[Params, Tensor, Tensor]:
    """All in float64, or a ValueError."""
    D, H = check.sizes(spec, params)
    S = H * len(spec.states)
    if tuple(x.shape) != (D,):
        raise ValueError(f"x has shape {tuple(x.shape)}; allowed: ({D},), one constant input")
    check.finite("x", x, "d")
    if starts.dim() != 2 or starts.shape[1] != S or not len(starts):
        raise ValueError(f"starts has shape {tuple(starts.shape)}; allowed: (N, {S}), N at least 1")
    check.finite("starts", starts, "ns")
    for name, value in params.items():
        check.finite(name, value, "rc"[: value.dim()])
    return {name: value.detach().double() for name, value in params.items()}, x.double(), starts.double()


def _newton(step: StepMap, s: Tensor, iterations: int) -> Tensor:
    """Where the starts s (N,S) end."""
    s, going = step.within(s), torch.arange(len(s))
    for _ in range(iterations):
        here = s[going]
        gap = step(here) - here
        change = _newton_step(step.jacobian(here), gap)
        there, nearer = _nearer(step, here, gap, change)
        s[going[nearer]] = there[nearer]
        going = going[nearer]
        if not len(going):
            break
    return s


def _newton_step(J: Tensor, gap: Tensor) -> Tensor:
    """The change (N,S) that would close the gap (N,S) were the map its linear part."""
    A = torch.eye(J.shape[-1], dtype=J.dtype) - J
    change: Tensor
    change, info = torch.linalg.solve_ex(A, gap)
    bad = (info != 0) | ~torch.isfinite(change).all(1)
    usable = bad & torch.isfinite(A).flatten(1).all(1) & torch.isfinite(gap).all(1)
    if usable.any():
        change[usable] = (torch.linalg.pinv(A[usable]) @ gap[usable].unsqueeze(2)).squeeze(2)
    return change


def _nearer(step: StepMap, s: Tensor, gap: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """Each state moved by as much of its change as comes nearer, and which could: (N,S) and (N,)."""
    size = gap.abs().amax(1)
    there, done = s.clone(), torch.zeros(len(s), dtype=torch.bool)
    waiting, part = torch.arange(len(s))[size > 0], 1.0
    for _ in range(HALVINGS):
        if not len(waiting):
            break
        trial = step.within(s[waiting] + part * change[waiting])
        nearer = (step(trial) - trial).abs().amax(1) < size[waiting]
        there[waiting[nearer]], done[waiting[nearer]] = trial[nearer], True
        waiting, part = waiting[~nearer], part / 2
    return there, done


def merged(s: Tensor, gaps: Tensor, apart: float) -> tuple[Tensor, Tensor]:
    """One of each group of points (N,S) that are no further apart, the one of the smallest gap; its size.

    Returns:
        (P,S) in lexical order of the coordinates, and how many fell together in each, (P,).
    """
    left = gaps.abs().amax(1).argsort(stable=True) if len(s) else torch.arange(0)
    kept: list[int] = []
    counts: list[int] = []
    while len(left):
        best = s[left[0]]
        near = (s[left] - best).abs().amax(1) <= apart * (1 + best.abs().max())
        kept.append(int(left[0]))
        counts.append(int(near.sum()))
        left = left[~near]
    rounded = (s[kept] / max(apart, 1e-300)).round() if kept else s
    lexical = sorted(range(len(kept)), key=lambda k: rounded[k].tolist())
    return s[[kept[k] for k in lexical]], torch.tensor([counts[k] for k in lexical], dtype=torch.int64)


def _eigenvalues(J: Tensor) -> Tensor:
    """(P,S), the largest modulus first, of a pair the one that turns to the left."""
    if not len(J):
        return J.new_zeros(0, J.shape[-1], dtype=torch.complex128)
    values: Tensor = torch.linalg.eigvals(J)
    rows = [sorted(row, key=lambda v: (-round(abs(v), 12), -v.real, -v.imag)) for row in values.tolist()]
    return torch.tensor(rows, dtype=torch.complex128)


def _smooth(step: StepMap, s: Tensor, J: Tensor) -> Tensor:
    """Whether J (P,S,S) foretells a small change of each number of s (P,S), up as well as down, (P,)."""
    smooth = torch.ones(len(s), dtype=torch.bool)
    aside = ASIDE * (1 + s.abs().amax(1, keepdim=True)) if len(s) else s
    here, scale = step(s), 1 + J.abs().flatten(1).amax(1) if len(s) else s
    for k in range(s.shape[1] if len(s) else 0):
        for sign in (-1.0, 1.0):
            moved = s.clone()
            moved[:, k : k + 1] += sign * aside
            slope = (step(moved) - here) / (moved - s)[:, k : k + 1]
            smooth &= (slope - J[:, :, k]).abs().amax(1) <= KINK * scale
    return smooth


def _isolated(J: Tensor) -> Tensor:
    """Whether J - I (P,S,S) has an inverse, as far as rounding lets it be seen, (P,)."""
    if not len(J):
        return torch.zeros(0, dtype=torch.bool)
    sizes = torch.linalg.svdvals(J - torch.eye(J.shape[-1], dtype=J.dtype))
    regular: Tensor = sizes[:, -1] > MARGIN
    return regular
