"""The figures of Gradient flow's tab “Spectrum” as short PyTorch scripts, Jacobians by autograd."""

from __future__ import annotations

from collections.abc import Sequence

from rnnviz.engine import CellSpec
from rnnviz.experiment import Model, Source
from rnnviz.flow_script import each, jacobians

MATRIX = ("k", "eigenvalue_real", "eigenvalue_imag", "modulus", "singular_value")
SINGULAR = ("lag", "k", "log10_singular_value", "log10_floor", "above_floor")
EXPONENTS = ("cell", "k", "exponent")


def matrix_script(model: Model, source: Source, block: int, title: str, caption: str) -> str:
    """A script that prints the eigenvalues and singular values of one block of W_hh, counted from 0."""

    def part(spec: CellSpec) -> str:
        return f"""
W = W_hh.double().chunk(G)[{block}]  # block {spec.blocks[block]}
eigenvalues = sorted(torch.linalg.eigvals(W).tolist(), key=lambda v: (-abs(v), -v.imag))
for k, (value, sigma) in enumerate(zip(eigenvalues, torch.linalg.svdvals(W).tolist()), 1):
    print(k, repr(value.real), repr(value.imag), repr(abs(value)), repr(sigma), sep=",")
"""

    return each((model,), source, title, caption, MATRIX, part)


def singular_script(model: Model, source: Source, lags: Sequence[int], title: str, caption: str) -> str:
    """A script that prints the singular values of ∂h_T/∂h_t for these lags, where rounding has left them."""

    def part(spec: CellSpec) -> str:
        return f"""{jacobians(spec)}
# ∂h_T/∂s_t by products from the end back; what grows or shrinks too far is kept apart as a power of e
{_stacked(spec)}
S, first = steps[0].shape[0], {spec.state_names.index("h")} * H
product, log_scale = torch.eye(S, dtype=torch.float64)[first : first + H], 0.0
for lag in range(T + 1):
    if lag:
        product = product @ steps[T - lag]
        scale = product.abs().max().item()
        if 0 < scale < math.inf:
            product, log_scale = product / scale, log_scale + math.log(scale)
    if lag not in {list(lags)}:
        continue
    part = product[:, first : first + H]
    found = torch.linalg.svdvals(part) if part.isfinite().all() else torch.full((H,), math.nan)
    logs = ((found.log() + log_scale) / math.log(10)).tolist()
    floor = logs[0] + math.log10(S * 2.0**-52)
    for k, value in enumerate(logs, 1):
        known = value > floor
        print(lag, k, repr(value if known else math.nan), repr(floor), int(known), sep=",")
"""

    return each((model,), source, title, caption, SINGULAR, part)


def lyapunov_script(models: Sequence[Model], source: Source, every: int, title: str, caption: str) -> str:
    """A script that prints each cell's H largest Lyapunov exponents, by QR along autograd's Jacobians."""

    def part(spec: CellSpec) -> str:
        return f"""{jacobians(spec)}
# QR along the run, from a random frame
{_stacked(spec)}
S = steps[0].shape[0]
start = torch.randn(1, S, H, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Q, logs = torch.linalg.qr(start.to(x.dtype))[0], torch.zeros(H, dtype=torch.float64)
for t, J in enumerate(steps, 1):
    Q = J.to(x.dtype) @ Q
    if t % {every} == 0 or t == T:
        Q, R = torch.linalg.qr(Q)
        logs += R[0].diagonal().abs().double().log()
# A step with rows of zeros in its Jacobian leaves no more directions than it has others
left = min(int((J != 0).any(1).sum()) for J in steps)
for k, value in enumerate(sorted((logs / T).tolist(), reverse=True), 1):
    print("{spec.name}", k, repr(value if k <= left else -math.inf), sep=",")
"""

    return each(models, source, title, caption, EXPONENTS, part)


def _stacked(spec: CellSpec) -> str:
    """Lines that stack each step's blocks to one matrix: ``steps``."""
    n = len(spec.states)
    return f"""steps = [
    torch.cat([torch.cat([blocks[a][b][0, :, 0] for b in range({n})], 1) for a in range({n})]).double()
    for blocks in jacobians
]"""
