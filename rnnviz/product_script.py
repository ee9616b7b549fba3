"""Products of step Jacobians, what bounds them and the path beside them, as short PyTorch scripts."""

from __future__ import annotations

from rnnviz.charts.products import steepest
from rnnviz.engine import CellSpec
from rnnviz.experiment import Model, Source
from rnnviz.flow_script import each, jacobians
from rnnviz.printed_source import Sources
from rnnviz.script import indent, zero_states

_COLUMNS = ("cell", "state", "steps_back", "norm", "log10_norm")
_START = '''
def show(cell, state, logs):
    """One row a lag, from logarithms; the first step, the longest lag, comes first."""
    for lag, log in reversed(list(enumerate(logs))):
        norm = math.exp(log) if not log > 709 else math.inf
        print(cell, state, lag, repr(norm), repr(log / math.log(10)), sep=",")


def product_logs(jacobians, k):
    """ln of the norm of the k-th state's ∂s_T/∂s_t over lag; what is multiplied is kept near 1."""
    n = len(jacobians[0])
    own = slice(k * H, (k + 1) * H)
    P, log, found = torch.eye(n * H, dtype=torch.float64)[own], 0.0, [0.0]
    for J in reversed(jacobians):
        P = P @ torch.cat([torch.cat([part[0, :, 0] for part in row], 1) for row in J]).double()
        if not P.isfinite().all():
            return found + [math.nan] * (len(jacobians) + 1 - len(found))
        scale = P.abs().max().item() or 1.0
        P, log = P / scale, log + math.log(scale)
        norm = torch.linalg.matrix_norm(P[:, own], 2).item()
        found.append(log + math.log(norm) if norm > 0 else -math.inf)
    return found


def powers(factor):
    """ln of a factor to the power of each lag."""
    log = math.log(factor) if factor > 0 else -math.inf
    return [0.0, *(lag * log for lag in range(1, T + 1))]

'''


def product_script(models: tuple[Model, ...], source: Source, title: str, caption: str) -> str:
    """A script that prints ‖∂h_T/∂h_t‖₂ of every cell, and the bound of those with one nonlinearity."""

    def part(spec: CellSpec) -> str:
        k = spec.state_names.index("h")
        product = f'show("{spec.name}", "h", product_logs(jacobians, {k}))\n'
        return jacobians(spec) + product + (_bounds(spec) if spec.slope else "")

    return each(models, source, title, caption, _COLUMNS, part, _START)


def direct_script(models: tuple[Model, ...], source: Source, title: str, caption: str) -> str:
    """A script that prints ‖∂s_T/∂s_t‖₂ of each state with a direct path, and the path alone."""
    own = tuple(model for model in models if model.spec.direct is not None)
    return each(own, source, title, caption, _COLUMNS, _direct, _START)


def _bounds(spec: CellSpec) -> str:
    past = "" if spec.direct is None else "1 + "  # a connection that goes past φ
    return f"""
# The slope of φ at every step: by how much h_t moves with its pre-activation
{spec.code[0]}
{zero_states(spec)}
ax, slopes = ax.detach().requires_grad_(), []
for t in range(T):
{indent(spec.code[1])}
    slopes.append(torch.autograd.grad(h.sum(), ax)[0][t])
    h = h.detach()
sigma = torch.linalg.matrix_norm(W_hh.double(), 2).item()
show("{spec.name}", "bound", powers({past}{steepest(spec)!r} * sigma))
show("{spec.name}", "measured", powers({past}torch.stack(slopes).double().mean().item() * sigma))
"""


def _direct(spec: CellSpec) -> str:
    assert spec.direct is not None
    sources = Sources("", ("Gates",), ("x", "t", "T", "B", "D", "H"))
    gates = "{" + ", ".join(f'"{name}": {name}' for name in spec.gate_names) + "}"
    kept = sources.call(spec.direct, gates)
    # `Gates` is a name for dict that only annotations read, which stay text.
    imports = sources.imports.replace("from builtins import Gates", "").strip()
    return f"""{jacobians(spec)}
# What a state is multiplied by on its direct path, gates as they are
{imports}

{chr(10).join(sources.blocks)}

{zero_states(spec)}
kept = []
for t in range(T):
{indent(spec.code[1])}
    name, factor = {kept}
    kept.append(factor[0].double())
show("{spec.name}", name, product_logs(jacobians, {spec.state_names!r}.index(name)))
show("{spec.name}", "direct", [0.0, *torch.stack(kept).log().flip(0).cumsum(0).amax(1).tolist()])
"""
