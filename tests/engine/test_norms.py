"""Logarithmic norms against mpmath and closed forms, at the edges where plain ones fail."""

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.engine.norms import log_norm, log_spectral_norm
from tests.engine.oracle import assert_close, draw, quick, seeds

sizes = st.integers(1, 6)


@given(sizes, sizes, st.integers(-300, 300), seeds)
@quick
def test_norms_equal_mpmath_at_every_scale(M, N, exponent, seed):
    matrix = draw(seed, M, N) * 10.0**exponent
    with mpmath.workdps(40):
        exact = mpmath.matrix(matrix.tolist())
        spectral = float(mpmath.log(max(mpmath.svd_r(exact, compute_uv=False))))
        euclidean = float(mpmath.log(mpmath.mnorm(exact, "f")))
    assert log_spectral_norm(matrix).item() == pytest.approx(spectral, abs=1e-12)
    assert log_norm(matrix[None]).item() == pytest.approx(euclidean, abs=1e-12)


@pytest.mark.parametrize("gap", [0.0, 1e-15, 1e-9, 1e-3])
def test_clustered_largest_singular_values_cost_no_digits(gap):
    left, right = (torch.linalg.qr(draw(k, 40, 40))[0] for k in (1, 2))
    values = torch.linspace(1 - gap, 1, 40, dtype=torch.float64)
    assert log_spectral_norm(3.0 * left @ values.diag() @ right).item() == pytest.approx(
        math.log(3.0), abs=1e-13
    )


def test_zero_and_non_finite_are_said_to_be_so():
    inf, nan = math.inf, math.nan
    matrices = torch.tensor([[[0.0, 0], [0, 0]], [[1, nan], [0, 0]], [[inf, 0], [0, 1]], [[3, 0], [0, 4]]])
    assert_close(log_spectral_norm(matrices)[3], math.log(4))
    assert log_spectral_norm(matrices)[0] == -inf
    assert log_spectral_norm(matrices)[1:3].isnan().all()
    norms = log_norm(matrices)
    assert norms[0] == -inf
    assert norms[1].isnan()
    assert norms[2] == inf
    assert norms[3].item() == pytest.approx(math.log(5), abs=1e-15)


def test_subnormal_numbers_have_a_norm():
    tiny = torch.tensor([[5e-324, 0.0]], dtype=torch.float64)
    assert log_norm(tiny).item() == pytest.approx(math.log(5e-324))
    assert log_spectral_norm(tiny).item() == pytest.approx(math.log(5e-324))
    assert log_norm(torch.full((1, 4), 1e-45)).item() == pytest.approx(math.log(2**-149 * 2))
