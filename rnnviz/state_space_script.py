"""The figures of a network's state space as PyTorch scripts: its path, its fixed points, their spectra."""

from __future__ import annotations

from rnnviz.engine.fixed_points import _newton, merged
from rnnviz.printed_source import Sources
from rnnviz.script import indent, parameters, quoted, tuple_of, zero_states
from rnnviz.state_space import AHEAD, ITERATIONS, STARTS, Setting

_HEAD = '''"""{title}

{caption}
Prints the {what} as CSV. Needs PyTorch only.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

# The input
{signal}
T, B, D = x.shape
'''

_PATH = """
# The range of each number of the state, all states stacked
low = torch.tensor({low}).repeat_interleave(H)
high = torch.tensor({high}).repeat_interleave(H)

# Through time
{project}
{first}
states = [torch.cat(({states}), 1)]
for t in range(T):
{step}
    states.append(torch.cat(({states}), 1))
whole = torch.cat(states)
fine = (whole.abs() <= {ahead!r}).all(1).tolist()
path = whole[:[*fine, False].index(False)]  # until it runs away

# Principal directions; each has its largest weight positive
middle, k = path.mean(0), min(3, *path.shape)
_, _, directions = torch.linalg.svd(path - middle, full_matrices=False)
P = (directions * directions.gather(1, directions.abs().argmax(1, keepdim=True)).sign())[:k]


def places(s):
    \"\"\"Along three directions; 0 along those that are not there.\"\"\"
    return torch.nn.functional.pad((s - middle) @ P.T, (0, 3 - k))


def distances(s):
    \"\"\"From the space that they span.\"\"\"
    return torch.linalg.vector_norm(s - middle - (s - middle) @ P.T @ P, dim=1)

"""

_RANDOM = """\
rng = torch.Generator().manual_seed({seed})
drawn = torch.rand(1, {count} * H, generator=rng)
{states} = (low.clamp(-1, 1) + (high.clamp(-1, 1) - low.clamp(-1, 1)) * drawn).chunk({count}, 1)"""

_FIXED = """
# Fixed points under the input's mean, by Newton's method from the path and from random states
mean = x[:, 0].mean(0)


class StepMap:
    \"\"\"One step under a constant input, from each of the states (N,S).\"\"\"

    def __call__(self, s):
        x, t = mean.expand(1, len(s), -1), 0
{project}
        {states} = s.chunk({count}, 1)
{step}
        return torch.cat(({states}), 1)

    def jacobian(self, s):
        return torch.func.vmap(torch.func.jacrev(lambda one: self(one[None])[0]))(s)

    def within(self, s):
        return torch.minimum(torch.maximum(s, low), high)


{functions}


step = StepMap()
along = torch.linspace(0, len(path) - 1, min({starts}, len(path))).round().long()
most = path.abs().max().clamp(min=1.0)
least, most = low.clamp(min=-most), high.clamp(max=most)
drawn = torch.rand({starts}, path.shape[1], generator=torch.Generator().manual_seed({seed}))
found = {newton}(step, torch.cat([path[along], least + (most - least) * drawn]), {iterations})
gaps = step(found) - found
good = gaps.abs().amax(1) <= 1e-11 * (1 + found.abs().amax(1))
points, _ = merged(found[good], gaps[good], 1e-6)
values = [
    sorted(torch.linalg.eigvals(J).tolist(), key=lambda v: (-round(abs(v), 12), -v.real, -v.imag))
    for J in (step.jacobian(points) if len(points) else ())
]
"""

_SPACE = """
print("what,number,direction_1,direction_2,direction_3,distance")
for what, first, s in (("path", 0, path), ("fixed point", 1, points)):
    for n, (place, distance) in enumerate(zip(places(s).tolist(), distances(s).tolist()), first):
        print(what, n, *map(repr, place), repr(distance), sep=",")
"""

_SPECTRA = """
print("fixed_point,k,eigenvalue_real,eigenvalue_imag,modulus")
for p, row in enumerate(values, 1):
    for k, value in enumerate(row, 1):
        print(p, k, repr(value.real), repr(value.imag), repr(abs(value)), sep=",")
"""

_LISTED = """
extent = torch.linalg.vector_norm(path - middle, dim=1).max().clamp(min=1e-9)
print("fixed point,residual,max |λ|,unstable directions,distance,drawn")
for p, (point, row) in enumerate(zip(points, values), 1):
    residual = torch.linalg.vector_norm(step(point[None])[0] - point).item()
    distance = distances(point[None])[0]
    near = distance <= extent and torch.linalg.vector_norm(point - middle) <= 3 * extent
    grows = sum(abs(value) > 1 for value in row)
    said = "yes" if near else "no; too far"
    print(p, repr(residual), repr(abs(row[0])), grows, repr(distance.item()), said, sep=",")
"""


def space_script(setting: Setting, title: str, caption: str) -> str:
    """The path and the fixed points along the principal directions."""
    return _common(setting, title, caption, "figure's numbers") + _SPACE


def spectra_script(setting: Setting, title: str, caption: str) -> str:
    """The eigenvalues of the Jacobian at every fixed point."""
    return _common(setting, title, caption, "figure's numbers") + _SPECTRA


def listed_script(setting: Setting, title: str, caption: str) -> str:
    """Every fixed point in a row."""
    return _common(setting, title, caption, "table") + _LISTED


def _common(setting: Setting, title: str, caption: str, what: str) -> str:
    """Input, parameters, path and fixed points."""
    model, spec = setting.model, setting.model.spec
    signal = (
        setting.source.signal().code
        if setting.source
        else f"x = torch.zeros({setting.steps}, 1, 1)  # none; (T, B=1, D)"
    )
    count, states = len(spec.states), tuple_of(spec)
    random = _RANDOM.format(seed=model.seed, count=count, states=states)
    path = _PATH.format(
        low=_ends([state.low for state in spec.states]),
        high=_ends([state.high for state in spec.states]),
        project=spec.code[0],
        first=zero_states(spec) if setting.source else random,
        states=states,
        step=indent(spec.code[1]),
        ahead=AHEAD,
    )
    sources = Sources(
        "import torch\nfrom torch import Tensor", ("StepMap",), ("x", "step", "points", "values")
    )
    for function in (_newton, merged):
        sources.add(function)
    fixed = _FIXED.format(
        project=indent(indent(spec.code[0])),
        states=states,
        count=count,
        step=indent(indent(spec.code[1])),
        functions="\n\n\n".join(sources.blocks),
        newton=_newton.__name__,
        starts=STARTS,
        seed=model.seed,
        iterations=ITERATIONS,
    )
    head = _HEAD.format(title=quoted(title), caption=quoted(caption), what=what, signal=signal)
    return head + parameters(model) + path + fixed


def _ends(values: list[float]) -> str:
    said = [f'float("{v}")' if abs(v) == float("inf") else repr(v) for v in values]
    return f"[{', '.join(said)}]"
