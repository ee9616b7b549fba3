"""What each step adds to a shared parameter's gradient, kept as the factors of its outer products."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from rnnviz.engine.norms import log_norm


@dataclass(frozen=True)
class Factor:
    """Rows of a parameter whose gradient is, at each step, a sum of outer products over the batch.

    Attributes:
        rows: of the parameter.
        delta: (T,B,R): dL/da of the pre-activations that these rows make.
        inputs: (T,B,C): what the rows were multiplied with; None for a bias.
    """

    rows: slice
    delta: Tensor
    inputs: Tensor | None

    def outer(self) -> Tensor:
        """What each step adds, (T,R,C), or (T,R) for a bias."""
        return self.delta.sum(1) if self.inputs is None else self.delta.mT @ self.inputs

    def log_norm(self) -> Tensor:
        """ln of the Euclidean norm of `outer`, (T,): of one sequence the product of its factors' norms."""
        if self.inputs is None or self.delta.shape[1] > 1:
            return log_norm(self.outer())
        return log_norm(self.delta) + log_norm(self.inputs)


def assembled(factors: tuple[Factor, ...], like: Tensor) -> Tensor:
    """What each step adds to the whole of a parameter shaped ``like``, (T,*shape)."""
    T = factors[0].delta.shape[0]
    each = like.new_zeros(T, *like.shape)
    for factor in factors:
        each[:, factor.rows] += factor.outer()
    return each
