"""Principal components against NumPy's eigenvalues of the covariance, and against a plane built by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.engine import principal_components
from tests.engine.oracle import quick


@given(n=st.integers(2, 12), h=st.integers(1, 6), seed=st.integers(0, 999))
@quick
def test_shares_are_the_covariances_eigenvalues_and_scores_keep_distances(n, h, seed):
    values = np.random.default_rng(seed).normal(size=(n, h))
    k = min(n, h)
    scores, shares = principal_components(torch.from_numpy(values), k)
    centred = values - values.mean(0)
    eigenvalues = np.linalg.eigvalsh(centred.T @ centred)[::-1][:k]
    np.testing.assert_allclose(shares.numpy() * np.square(centred).sum(), eigenvalues, atol=1e-10)
    between = np.linalg.norm(values[:, None] - values[None], axis=-1)
    if k == h:  # all directions together are a rotation
        found = np.linalg.norm(scores.numpy()[:, None] - scores.numpy()[None], axis=-1)
        np.testing.assert_allclose(found, between, atol=1e-10)


def test_a_line_has_one_direction_and_its_sign_is_fixed():
    t = torch.linspace(-1, 1, 5, dtype=torch.float64)
    line = torch.stack([-3 * t, 4 * t], 1) + 7
    scores, shares = principal_components(line, 2)
    assert shares.tolist() == pytest.approx([1, 0])
    assert scores[:, 0].tolist() == pytest.approx((5 * t).tolist())  # the larger weight, 4, is positive


def test_what_does_not_vary_has_no_share():
    scores, shares = principal_components(torch.ones(4, 3), 3)
    assert not scores.any()
    assert not shares.any()


@pytest.mark.parametrize(
    ("values", "k", "said"),
    [
        (torch.zeros(3), 1, r"values has shape \(3,\)"),
        (torch.full((2, 2), torch.nan), 1, r"values\[n=0, h=0\] is nan"),
        (torch.zeros(4, 2), 3, r"k is 3; allowed: a whole number from 1 to 2"),
    ],
)
def test_bad_input_is_named(values, k, said):
    with pytest.raises(ValueError, match=said):
        principal_components(values, k)
