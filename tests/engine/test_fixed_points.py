"""Fixed points against algebra, mpmath, bisection and the complex step."""

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given

from rnnviz.engine import CELLS, fixed_points
from rnnviz.engine.step_map import StepMap
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params

IDENTITY = CELLS["rnn"].with_options(activation="identity")
RELU = CELLS["rnn"].with_options(activation="relu")
TANH = CELLS["rnn"]
PHI_WITH_KINK = "relu"
NONE = torch.zeros(1, dtype=torch.float64)


def rnn(W, b=0.0, w_in=1.0):
    W = torch.tensor(W, dtype=torch.float64)
    H = len(W)
    bias = torch.zeros(H, dtype=torch.float64) + torch.tensor(b, dtype=torch.float64)
    return {"W_ih": torch.full((H, 1), w_in).double(), "W_hh": W, "b_ih": bias, "b_hh": bias * 0}


def many(S, low=-1.0, high=1.0, count=9):
    axis = torch.linspace(low, high, count, dtype=torch.float64)
    return torch.cartesian_prod(*[axis] * S).view(-1, S)


def all_of(spec, params, u=0.0, S=None, **more):
    starts = many(S or params["W_hh"].shape[1] * len(spec.states), **more)
    return fixed_points(spec, params, torch.tensor([u], dtype=torch.float64), starts)


@given(oracle.seeds)
@quick
def test_a_linear_map_has_the_point_that_algebra_gives(seed):
    W, b = draw(seed, 3, 3).numpy(), draw(seed + 1, 3).numpy()
    found = all_of(IDENTITY, rnn(W.tolist(), b.tolist(), w_in=0.5), u=2.0, count=3)
    want = np.linalg.solve(np.eye(3) - W, b + 1.0)
    assert len(found) == 1
    assert found.missed == 0
    np.testing.assert_allclose(found.points[0], want, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        np.sort_complex(found.eigenvalues[0].numpy()), np.sort_complex(np.linalg.eigvals(W)), atol=1e-12
    )


def exact_root(f, low, high):
    """A root of f in 50 digits, by bisection."""
    with mpmath.workdps(50):
        low, high = mpmath.mpf(low), mpmath.mpf(high)
        for _ in range(170):
            middle = (low + high) / 2
            low, high = (middle, high) if f(middle) * f(low) > 0 else (low, middle)
        return float(middle)


def test_two_h_under_tanh_rests_where_bisection_finds_it():
    root = exact_root(lambda h: mpmath.tanh(2 * h) - h, "0.5", "1.5")
    found = all_of(TANH, rnn([[2.0]]))
    np.testing.assert_allclose(found.points[:, 0], [-root, 0, root], rtol=0, atol=2e-16)
    assert found.kinds == ("stable node", "unstable node", "stable node")
    np.testing.assert_allclose(found.eigenvalues[:, 0].real, [2 * (1 - root**2), 2, 2 * (1 - root**2)])
    assert found.starts == 9
    assert found.missed == 0
    assert int(found.found.sum()) == 9


@pytest.mark.parametrize(
    ("W", "kind"),
    [
        ([[0.5, 0.0], [0.0, -0.2]], "stable node"),
        ([[0.3, -0.4], [0.4, 0.3]], "stable focus"),
        ([[1.5, 0.0], [0.0, 0.5]], "saddle"),
        ([[1.0, -1.0], [1.0, 1.0]], "unstable focus"),
        ([[3.0, 0.0], [0.0, -2.0]], "unstable node"),
        ([[0.0, -1.0], [1.0, 0.0]], "marginal"),
        ([[-1.0, 0.0], [0.0, 0.5]], "marginal"),
    ],
)
def test_kinds(W, kind):
    for spec in (IDENTITY, TANH):
        found = all_of(spec, rnn(W))
        k = found.points.norm(dim=1).argmin()
        assert found.kinds[k] == kind
        assert bool(found.isolated[k])


def test_lines_and_planes_of_points_are_said_to_be_so():
    plane = all_of(IDENTITY, rnn([[1.0, 0.0], [0.0, 1.0]]))
    assert len(plane) == 81
    assert not plane.isolated.any()
    assert set(plane.kinds) == {"marginal"}
    torch.testing.assert_close(plane.points, many(2), rtol=0, atol=0)
    line = all_of(IDENTITY, rnn([[1.0, 0.0], [0.0, 0.5]]))
    assert len(line) == 9
    assert not line.isolated.any()
    assert line.missed == 0
    torch.testing.assert_close(line.points[:, 0], many(1)[:, 0], rtol=0, atol=1e-12)
    assert line.points[:, 1].abs().max() < 1e-12


def test_where_none_is_none_is_found_and_every_start_counted():
    found = all_of(IDENTITY, rnn([[1.0]], 1.0))
    assert (len(found), found.missed, found.starts) == (0, 9, 9)
    assert found.kinds == ()
    assert found.eigenvalues.shape == (0, 1)
    # just past the fold of h = tanh(2h + b), two of three points are gone
    fold = np.sqrt(0.5)
    b = float(np.arctanh(fold) - 2 * fold)
    assert len(all_of(TANH, rnn([[2.0]], b + 1e-3))) == 3
    assert len(all_of(TANH, rnn([[2.0]], b - 1e-3))) == 1


def test_a_degenerate_point_is_one_and_marginal():
    found = all_of(TANH, rnn([[1.0]]))
    assert len(found) == 1
    assert found.kinds == ("marginal",)
    assert abs(float(found.points)) < 1e-6


def test_a_kink_is_not_taken_for_a_slope():
    found = all_of(RELU, rnn([[0.5]]))
    assert found.kinds == ("marginal",)
    assert not found.smooth.any()
    away = all_of(RELU, rnn([[0.5]], 1.0))
    assert away.kinds == ("stable node",)
    assert away.smooth.all()
    assert float(away.points) == 2.0


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@given(oracle.seeds)
@quick
def test_points_of_every_cell_stand_still_and_have_the_jacobian_of_the_complex_step(spec, seed):
    H, u = 2, draw(seed + 7, 1)
    params = {name: value * 0.7 for name, value in random_params(spec, 1, H, seed).items()}
    S = H * len(spec.states)
    found = fixed_points(spec, params, u, many(S, count=3))
    assert int(found.found.sum()) + found.missed == found.starts == 3**S
    rows = (found.points, found.jacobians, found.gaps, found.eigenvalues, found.smooth)
    for point, J, gap, values, smooth in zip(*(row[:20] for row in rows), strict=True):
        state = dict(zip(spec.state_names, point.view(len(spec.states), 1, H), strict=True))
        after, _ = oracle.run(spec, params, u[None, None].numpy(), {k: v.numpy() for k, v in state.items()})
        there = np.concatenate([after[name][1, 0] for name in spec.state_names])
        np.testing.assert_allclose(there, point, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(there - point.numpy(), gap, atol=1e-11 * (1 + float(point.abs().max())))
        if not smooth:  # at a kink rounding decides on which side of it one stands
            assert PHI_WITH_KINK in dict(spec.options).values()
            continue
        want = oracle.step_jacobian(spec, params, u[None], state)[0]
        assert_close(J, want)
        sizes = np.abs(np.linalg.eigvals(want))
        np.testing.assert_allclose(values.abs(), np.sort(sizes)[::-1], atol=1e-7)


def test_a_step_map_is_the_cells_step():
    spec = CELLS["lstm"]
    params, s = random_params(spec, 1, 2, 3), draw(5, 4, 4)
    after, _ = oracle.run(
        spec, params, np.full((1, 4, 1), 0.3), {"h": s[:, :2].numpy(), "c": s[:, 2:].numpy()}
    )
    step = StepMap(spec, params, torch.tensor([0.3], dtype=torch.float64))
    assert_close(step(s), np.concatenate([after["h"][1], after["c"][1]], 1))


def test_float32_is_computed_in_float64():
    params = {name: value.float() for name, value in rnn([[2.0]]).items()}
    found = fixed_points(TANH, params, NONE.float(), many(1).float())
    assert found.points.dtype == torch.float64
    assert float(found.residuals.max()) < 1e-15


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"starts": torch.tensor([[0.0], [float("nan")]])}, r"starts\[n=1, s=0\] is nan; allowed: finite"),
        ({"starts": torch.tensor([[float("inf")]])}, r"starts\[n=0, s=0\] is inf; allowed: finite"),
        ({"starts": torch.zeros(3, 2)}, r"starts has shape \(3, 2\); allowed: \(N, 1\), N at least 1"),
        ({"starts": torch.zeros(0, 1)}, r"starts has shape \(0, 1\)"),
        ({"x": torch.zeros(2)}, r"x has shape \(2,\); allowed: \(1,\), one constant input"),
        ({"x": torch.tensor([float("nan")])}, r"x\[d=0\] is nan; allowed: finite numbers"),
        ({"iterations": 0}, "iterations is 0; allowed: a whole number from 1 to 10000"),
        ({"tolerance": -1.0}, "tolerance is -1.0; allowed: a number from 0 to 1"),
        ({"apart": float("nan")}, "apart is nan; allowed: a number from 0 to inf"),
    ],
)
def test_refusals_name_field_value_and_what_is_allowed(change, sentence):
    given = {"x": NONE, "starts": many(1), **change}
    with pytest.raises(ValueError, match=sentence):
        fixed_points(TANH, rnn([[2.0]]), **given)


def test_weights_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match=r"W_hh\[r=0, c=0\] is nan; allowed: finite numbers"):
        fixed_points(TANH, rnn([[float("nan")]]), NONE, many(1))
