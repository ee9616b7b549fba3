"""The error surface of one unit and gradient descent on it, against loops, derivatives and torch.optim."""

import cmath
import math

import numpy as np
import pytest
import torch

from rnnviz.charts.cliff_records import Way
from rnnviz.cliff import POINTS, Descent, Runner, Unit, descend, ends, ends_on, grid, surface, wall

BOX = {"sigmoid": ((3.5, 5.5), (-3.25, -1.25)), "tanh": ((0.5, 2.5), (-1.5, 0.5))}
UNITS = [Unit(phi, T, y) for phi in BOX for T, y in ((2, 0.7), (50, 0.7), (100, 0.05))]
PHI = {"sigmoid": lambda x: 1 / (1 + cmath.exp(-x)), "tanh": cmath.tanh}
units = pytest.mark.parametrize("unit", UNITS, ids=lambda u: f"{u.activation}-{u.steps}")


def error(unit, w, b):
    """As the paper writes it, over complex numbers: x_t = w φ(x_{t-1}) + b, E = (φ(x_T) - y)²."""
    phi, x = PHI[unit.activation], unit.x0
    for _ in range(unit.steps):
        x = w * phi(x) + b
    return (phi(x) - unit.target) ** 2


def by_autograd(unit, w, b):
    w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (w, b))
    phi = {"sigmoid": torch.sigmoid, "tanh": torch.tanh}[unit.activation]
    x = torch.tensor(unit.x0, dtype=torch.float64)
    for _ in range(unit.steps):
        x = w * phi(x) + b
    E = (phi(x) - unit.target) ** 2
    return E.item(), *(g.item() for g in torch.autograd.grad(E, (w, b)))


def sampled(ground, count=150):
    """Grid places away from a wall, where a last bit of h decides nothing, and some wherever."""
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, POINTS, (2, count))
    return [(i, j) for i, j in zip(rows, columns, strict=True) if ground.norm[i, j] < 50]


def whole(unit):
    box = BOX[unit.activation]
    return surface(ends_on(unit, box), unit.target, box)


@units
def test_the_surface_and_its_gradient_are_the_papers(unit):
    ground, step = whole(unit), 1e-30
    places = sampled(ground)
    assert len(places) > 140
    for i, j in places:
        w, b = float(ground.w[j]), float(ground.b[i])
        E = error(unit, w, b).real
        assert ground.E[i, j] == pytest.approx(E, rel=1e-9, abs=1e-14)
        slopes = error(unit, w + 1j * step, b).imag / step, error(unit, w, b + 1j * step).imag / step
        assert (ground.dw[i, j], ground.db[i, j]) == pytest.approx(slopes, rel=1e-8, abs=1e-12)
        assert (E, *slopes) == pytest.approx(by_autograd(unit, w, b), rel=1e-8, abs=1e-12)


@units
def test_one_unit_is_the_engines_network_of_one_unit(unit):
    w, b = (v.flatten()[::7] for v in torch.meshgrid(*grid(BOX[unit.activation]), indexing="xy"))
    network, found = Runner(unit).ends(w, b), ends(unit, w, b)
    calm = torch.hypot(network.dw, network.db) < 50
    assert calm.sum() > 1000
    for name in ("h", "dw", "db"):
        torch.testing.assert_close(
            getattr(found, name)[calm], getattr(network, name)[calm], rtol=1e-9, atol=1e-12
        )


def test_a_networks_bits_do_not_depend_on_how_many_run_at_once():
    w, b = (torch.linspace(*side, 132, dtype=torch.float64) for side in BOX["sigmoid"])
    runner = Runner(Unit())
    together = runner.ends(w, b)
    for count in (1, 2, 5, 17):
        few = runner.ends(w[:count], b[:count])
        assert torch.equal(
            torch.stack([few.h, few.dw, few.db]),
            torch.stack([together.h, together.dw, together.db])[:, :count],
        )


def test_the_grid_covers_its_window_with_w_along_rows():
    unit, box = UNITS[1], BOX["sigmoid"]
    ground = whole(unit)
    assert ground.box == box
    assert ground.E.shape == (POINTS, POINTS)
    w, b = grid(box)
    assert ground.E[3, 7] == pytest.approx(error(unit, w[7].item(), b[3].item()).real, rel=1e-9)
    table = ground.table
    assert (table["w"][7], table["b"][7]) == (ground.w[7], ground.b[0])
    assert table["E"][3 * POINTS + 7] == ground.E[3, 7]
    largest, at_w, at_b = ground.steepest()
    assert largest == np.hypot(table["dE_dw"], table["dE_db"]).max()
    _, dw, db = by_autograd(unit, at_w, at_b)
    assert math.hypot(dw, db) == pytest.approx(largest, rel=1e-6)


@units
def test_the_wall_is_where_x0_repels_and_its_gradient_the_geometric_sum(unit):
    box = BOX[unit.activation]
    line = wall(unit, box)
    assert len(line.w) > 20
    h0 = PHI[unit.activation](unit.x0).real
    slope = h0 * (1 - h0) if unit.activation == "sigmoid" else 1 - h0 * h0
    assert (line.w * slope > 1).all()
    np.testing.assert_allclose(line.b, unit.x0 - line.w * h0, rtol=0, atol=1e-14)
    powers = (line.w[:, None] * slope) ** np.arange(unit.steps)
    closed = 2 * abs(h0 - unit.target) * slope * powers.sum(1) * math.hypot(1, h0)
    held = ~np.isnan(line.norm)
    assert held.sum() > 15
    np.testing.assert_allclose(line.norm[held], closed[held], rtol=1e-4)
    assert line.steepest()[0] == line.norm[held].max()


def test_no_wall_where_nothing_repels():
    line = wall(Unit(), ((0.0, 4.0), (-4.0, 1.0)))  # 4 · σ′(0.5) = 0.94
    assert len(line.w) == 0
    assert line.steepest() is None


def test_where_float64_cannot_stay_on_the_wall_no_gradient_is_claimed():
    line = wall(Unit("tanh", 100), ((-4.0, 4.0), (-4.0, 4.0)))
    h = ends(Unit("tanh", 100), torch.tensor(line.w), torch.tensor(line.b)).h.numpy()
    lost = np.isnan(line.norm)
    assert 0 < lost.sum() < len(lost)
    assert (np.abs(h[lost] - math.tanh(0.5)) > 1e-4).all()
    assert (np.abs(h[~lost] - math.tanh(0.5)) < 1e-3).all()


def by_sgd(unit, descent, updates):
    """torch.optim.SGD on autograd's gradient; `clip_grad_norm_` divides by ‖g‖ + 1e-6, we by ‖g‖."""
    w, b = (torch.nn.Parameter(torch.tensor(v, dtype=torch.float64)) for v in (descent.w, descent.b))
    optimizer, rows = torch.optim.SGD([w, b], lr=descent.lr), []
    phi = {"sigmoid": torch.sigmoid, "tanh": torch.tanh}[unit.activation]
    for _ in range(updates + 1):
        optimizer.zero_grad()
        x = torch.tensor(unit.x0, dtype=torch.float64)
        for _ in range(unit.steps):
            x = w * phi(x) + b
        E = (phi(x) - unit.target) ** 2
        E.backward()
        rows.append([w.item(), b.item(), E.item()])
        if descent.clip:
            torch.nn.utils.clip_grad_norm_([w, b], descent.clip)
        optimizer.step()
    return np.array(rows).T


@pytest.mark.parametrize(
    ("unit", "w", "b", "lr", "updates"),
    [
        (Unit(), 4.75, -1.5, 0.5, 60),
        (Unit("tanh"), 1.75, -0.85, 0.5, 30),
        (Unit(steps=5), 4.75, -1.5, 2.0, 40),
    ],
    ids=["sigmoid", "tanh", "short"],
)
def test_the_ways_are_those_of_torch_optim(unit, w, b, lr, updates):
    free, clipped = descend(unit, [Descent(w, b, lr), Descent(w, b, lr, 1.0)], updates)
    for way, descent, tolerance in ((free, Descent(w, b, lr), 1e-7), (clipped, Descent(w, b, lr, 1.0), 2e-4)):
        expected = by_sgd(unit, descent, updates)
        assert way.w.shape == (updates + 1,)
        np.testing.assert_allclose([way.w, way.b], expected[:2], rtol=tolerance)
        np.testing.assert_allclose(way.E, expected[2], rtol=tolerance, atol=1e-4)


def test_at_the_wall_one_update_throws_one_way_out_and_clipping_keeps_the_other():
    free, clipped = descend(Unit(), [Descent(4.75, -1.5, 0.5), Descent(4.75, -1.5, 0.5, 1.0)], 60)
    thrown = int(np.argmax(free.norm))
    assert free.norm[thrown] > 20
    np.testing.assert_array_equal(free.w[: thrown + 1], clipped.w[: thrown + 1])
    assert np.hypot(*np.diff([free.w, free.b])[:, thrown]) == pytest.approx(0.5 * free.norm[thrown])
    assert np.hypot(*np.diff([clipped.w, clipped.b])[:, thrown]) == pytest.approx(0.5 * 1.0)
    assert free.E[-1] == pytest.approx(0.3**2, abs=1e-6)  # h = 1, for good
    assert free.norm[-1] < 1e-6
    assert clipped.E[-1] < 1e-3
    assert (free.clipped_updates, clipped.clipped_updates) == (0, 1)


def test_many_descents_at_once_are_each_of_them_alone():
    descents = [Descent(4.75, -1.5, lr, clip) for lr in (0.1, 0.5, 10.0) for clip in (None, 0.2)]
    together = descend(Unit(), descents, 40)
    for way, descent in zip(together, descents, strict=True):
        (alone,) = descend(Unit(), [descent], 40)
        np.testing.assert_array_equal([way.w, way.b, way.E, way.dw], [alone.w, alone.b, alone.E, alone.dw])


def test_a_gradient_at_its_threshold_is_not_clipped_and_the_last_is_not_used():
    one = np.array([1.0, 1.0])
    way = Way(one, one, one, np.array([3.0, 30.0]), np.array([4.0, 40.0]), clip=5.0)
    assert way.clipped.tolist() == [False, True]
    assert way.clipped_updates == 0


def test_what_is_no_number_any_more_is_named():
    (way,) = descend(Unit(), [Descent(5.0, 0.5 - 5.0 * PHI["sigmoid"](0.5).real, 1e308)], 5)
    assert way.broken_at is not None
    before = way.broken_at - 1
    assert np.isfinite([way.w[before], way.b[before], way.E[before]]).all()
    (fine,) = descend(Unit(), [Descent(4.2, -2.1, 0.1)], 5)
    assert fine.broken_at is None


@pytest.mark.parametrize(("descents", "updates"), [([], 5), ([Descent(1.0, 0.0, 0.1)], 0)])
def test_nothing_to_do_is_refused(descents, updates):
    with pytest.raises(ValueError, match="at least 1 of each"):
        descend(Unit(), descents, updates)
