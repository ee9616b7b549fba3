"""∂s_T/∂s_t for every t: products of step Jacobians from the end back, with their size kept in logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.jacobians import RESCALE_EVERY, step_jacobians
from rnnviz.engine.memory import empty
from rnnviz.engine.norms import log_spectral_norm
from rnnviz.engine.spec import CellSpec, Params, Pull
from rnnviz.engine.trace import Trace

# Bytes of coefficients or Jacobians formed at once: they are still in a core's cache when the loop uses them.
CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class ProductTrace:
    """How one state at the end depends on every state before it.

    Attributes:
        states: the states' names, in the order in which S = H · len(states) stacks them.
        of: the state at the end.
        mantissa: state -> ∂of_T/∂s_t divided by the scale of all of them at t, (T+1,B,H,H), float64.
        log_scale: the natural logarithm of that scale, (T+1,B).
    """

    states: tuple[str, ...]
    of: str
    mantissa: dict[str, Tensor]
    log_scale: Tensor

    def log_norms(self, wrt: str = "h") -> Tensor:
        """ln ‖∂of_T/∂wrt_t‖₂ for t = 0…T, (T+1,B); -inf for an exact zero, nan where not finite."""
        return self.log_scale + log_spectral_norm(self.mantissa[wrt])

    def singular_logs(self, lags: Sequence[int], wrt: str = "h") -> Tensor:
        """ln of the singular values of ∂of_T/∂wrt_{T-lag}, (len(lags),B,H), descending; -inf for zero.

        What lies a factor of S·2⁻⁵² or more below the largest is rounding: of the small ones only a QR along
        the way knows (`lyapunov`).

        Raises:
            ValueError: a lag outside 0…T.
        """
        T = len(self.log_scale) - 1
        for lag in lags:
            check.whole("lag", lag, 0, T)
        at = torch.tensor([T - lag for lag in lags])
        values = self.mantissa[wrt][at]
        usable = torch.isfinite(values).all(-1).all(-1)
        found = torch.linalg.svdvals(torch.where(usable[..., None, None], values, 0.0)).log()
        return torch.where(usable[..., None], found + self.log_scale[at].unsqueeze(-1), torch.nan)


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
    T, (_, B, H) = trace.T, trace.states["h"].shape
    mantissa = {name: empty(trace.x, T + 1, B, H, H) for name in spec.state_names}
    log_scale = torch.zeros(T + 1, B, dtype=torch.float64)
    together = max(1, CHUNK_BYTES // (B * H * H * len(spec.states) * 8))
    with torch.inference_mode():
        for name, value in mantissa.items():
            value[T] = torch.eye(H) if name == of else 0
        at = list(zip(*(mantissa[name].unbind(0) for name in spec.state_names), strict=True))
        logs = log_scale[T]
        for stop in range(T, 0, -together):
            start = max(stop - together, 0)
            pull = _pull(spec, params, trace, start, stop)
            for t in range(stop - 1, start - 1, -1):
                pull(at[t + 1], t - start, at[t])
                if t % RESCALE_EVERY == 0:
                    logs = logs + _rescale(at[t])
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


def _pull(spec: CellSpec, params: Params, trace: Trace, start: int, stop: int) -> Pull:
    """What takes V at the end of one of these steps to its beginning; see `CellSpec.pull`."""
    if spec.pull is not None:
        before = {name: value[start:stop] for name, value in trace.states.items()}
        after = {name: value[start + 1 : stop + 1] for name, value in trace.states.items()}
        return spec.pull(params, before, after, {name: v[start:stop] for name, v in trace.gates.items()})
    steps = step_jacobians(spec, params, trace, start, stop).unbind(0)

    def dense(V: Sequence[Tensor], k: int, out: Sequence[Tensor]) -> None:
        if len(V) == 1:
            torch.bmm(V[0], steps[k], out=out[0])
            return
        for part, value in zip(out, (torch.cat(tuple(V), -1) @ steps[k]).chunk(len(out), -1), strict=True):
            part.copy_(value)

    return dense


def _rescale(V: Sequence[Tensor]) -> Tensor:
    """Bring the largest entry of all these (B,N,H) to 1, in place; the log of what was taken out, (B,)."""
    scale = torch.stack([part.abs().amax((-2, -1)) for part in V]).amax(0)
    scale = torch.where((scale > 0) & torch.isfinite(scale), scale, 1.0)
    for part in V:
        part.div_(scale[:, None, None])
    return scale.log()
