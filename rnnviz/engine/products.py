"""∂s_T/∂s_t for every t: products of step Jacobians from the end back, with their size kept in logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.jacobians import RESCALE_EVERY, step_jacobians
from rnnviz.engine.norms import log_spectral_norm
from rnnviz.engine.spec import CellSpec, Params
from rnnviz.engine.trace import Trace

# Bytes of coefficients or Jacobians formed at once: they are still in a core's cache when the loop uses them.
CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class ProductTrace:
    """How one state at the end depends on every state before it.

    Attributes:
        states: the states' names, in the order in which S = H · len(states) stacks them.
        of: the state at the end.
        mantissa: ∂of_T/∂s_t divided by its own scale, (T+1,B,H,S), float64.
        log_scale: the natural logarithm of that scale, (T+1,B).
    """

    states: tuple[str, ...]
    of: str
    mantissa: Tensor
    log_scale: Tensor

    def log_norms(self, wrt: str = "h") -> Tensor:
        """ln ‖∂of_T/∂wrt_t‖₂ for t = 0…T, (T+1,B); -inf for an exact zero, nan where not finite."""
        return self.log_scale + log_spectral_norm(self._block(wrt))

    def singular_logs(self, lags: Sequence[int], wrt: str = "h") -> Tensor:
        """ln of the singular values of ∂of_T/∂wrt_{T-lag}, (len(lags),B,H), descending; -inf for zero.

        What lies a factor of S·2⁻⁵² or more below the largest is rounding: of the small ones only a QR along
        the way knows (`lyapunov`).

        Raises:
            ValueError: a lag outside 0…T.
        """
        T = len(self.mantissa) - 1
        for lag in lags:
            check.whole("lag", lag, 0, T)
        at = torch.tensor([T - lag for lag in lags])
        values = self._block(wrt)[at]
        usable = torch.isfinite(values).all(-1).all(-1)
        found = torch.linalg.svdvals(torch.where(usable[..., None, None], values, 0.0)).log()
        return torch.where(usable[..., None], found + self.log_scale[at].unsqueeze(-1), torch.nan)

    def _block(self, wrt: str) -> Tensor:
        H = self.mantissa.shape[-2]
        k = self.states.index(wrt) * H
        return self.mantissa[..., k : k + H]


def end_products(spec: CellSpec, params: Params, trace: Trace, of: str = "h") -> ProductTrace:
    """∂of_T/∂s_t for t = 0…T, by one pass back over the run; always in float64.

    Args:
        spec: the cell.
        params: its parameters.
        trace: what `unroll` returned for them.
        of: the state at the end.

    Returns:
        `ProductTrace`; at t = T it is the identity where the states are the same, and zero elsewhere.

    Raises:
        ValueError: a state that the cell has not.
    """
    if of not in spec.state_names:
        raise ValueError(f"of is {of!r}; allowed: {', '.join(map(repr, spec.state_names))}")
    params = {name: value.double() for name, value in params.items()}
    trace = Trace(trace.x.double(), _double(trace.states), _double(trace.gates))
    T, (_, B, H), n = trace.T, trace.states["h"].shape, len(spec.states)
    S, k = H * n, spec.state_names.index(of) * H
    mantissa = torch.empty(T + 1, B, H, S, dtype=torch.float64)
    log_scale = torch.zeros(T + 1, B, dtype=torch.float64)
    mantissa[T] = torch.eye(S, dtype=torch.float64)[k : k + H]
    together = max(1, CHUNK_BYTES // (B * S * H * 8))
    with torch.inference_mode():
        V, logs = mantissa[T], log_scale[T]
        for stop in range(T, 0, -together):
            start = max(stop - together, 0)
            pull = _pull(spec, params, trace, start, stop)
            for t in range(stop - 1, start - 1, -1):
                pull(V, t - start, mantissa[t])
                V = mantissa[t]
                if t % RESCALE_EVERY == 0:
                    logs = logs + _rescale(V)
                log_scale[t] = logs
    return ProductTrace(spec.state_names, of, mantissa, log_scale)


def direct_log_norms(spec: CellSpec, trace: Trace) -> Tensor:
    """ln of the norm of the direct path from s_t to s_T, (T+1,B): the largest over units of ∏ its factors.

    Raises:
        ValueError: a cell without such a path.
    """
    if spec.direct is None:
        raise ValueError(f"{spec.name} has no state with a direct path; allowed: cells that have one")
    _, factors = spec.direct(trace.gates)
    logs = factors.double().log()
    sums = logs.flip(0).cumsum(0).flip(0)  # (T,B,H): from step t+1 to T
    end = sums.new_zeros(1, *sums.shape[1:])
    return torch.cat([sums, end]).amax(-1)


def _double(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.double() for name, value in values.items()}


Pull = Callable[[Tensor, int, Tensor], None]


def _pull(spec: CellSpec, params: Params, trace: Trace, start: int, stop: int) -> Pull:
    """What takes V (B,N,S) at the end of one of these steps to its beginning: V J, into ``out``."""
    if spec.pull is not None:
        before = {name: value[start:stop] for name, value in trace.states.items()}
        after = {name: value[start + 1 : stop + 1] for name, value in trace.states.items()}
        return spec.pull(params, before, after, {name: v[start:stop] for name, v in trace.gates.items()})
    steps = step_jacobians(spec, params, trace, start, stop).unbind(0)

    def dense(V: Tensor, n: int, out: Tensor) -> None:
        torch.bmm(V, steps[n], out=out)

    return dense


def _rescale(V: Tensor) -> Tensor:
    """Bring each matrix's largest entry to 1, in place; the log of what was taken out, (B,)."""
    scale = V.abs().amax((-2, -1), keepdim=True)
    scale = torch.where((scale > 0) & torch.isfinite(scale), scale, 1.0)
    V.div_(scale)
    return scale[:, 0, 0].log()
