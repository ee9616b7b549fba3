"""The figures of small systems as short PyTorch scripts, with nothing of this package in them."""

from __future__ import annotations

from rnnviz import dynamics as d
from rnnviz.engine.fixed_points import ASIDE, HALVINGS, MARGIN
from rnnviz.script import indent, quoted, tuple_of
from rnnviz.systems import System

_HEAD = '''"""{title}

{caption}
Prints the figure's numbers as CSV. Needs PyTorch only.
"""
from __future__ import annotations

import torch

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

# {system}; blocks {blocks}
H = {H}
{parameters}
u = {u!r}  # the constant input
'''

_STEP = '''

def step(s):
    """One step from each of these states, (N,S) -> (N,S)."""
    x, t = torch.full((1, len(s), 1), u), 0
{project}
    {states} = s.chunk({n}, 1)
{step}
    return torch.cat(({states}), 1)


def grid(count):
    """Points over the window, evenly and its ends included."""
    axes = [torch.linspace(low, high, count) for low, high in window]
    return torch.cartesian_prod(*axes).view(-1, len(window))


window = {window!r}
'''

_NEWTON = """
# Fixed points: Newton's method from many starts, each step halved until it comes nearer
low, high = torch.tensor({low}), torch.tensor({high})
jacobian = torch.func.vmap(torch.func.jacrev(lambda v: step(v[None])[0]))
s = grid({starts}).clamp(low, high)
one = torch.eye(s.shape[1])
for _ in range(100):
    gap = step(s) - s
    size, A = gap.abs().amax(1), one - jacobian(s)
    change, singular = torch.linalg.solve_ex(A, gap)
    singular = (singular != 0) | ~change.isfinite().all(1)
    change[singular] = (torch.linalg.pinv(A[singular]) @ gap[singular][:, :, None])[:, :, 0]
    moved, part, waiting = s, 1.0, size > 0
    for _ in range({halvings}):
        trial = (s + part * change).clamp(low, high)
        nearer = waiting & ((step(trial) - trial).abs().amax(1) < size)
        moved, waiting, part = torch.where(nearer[:, None], trial, moved), waiting & ~nearer, part / 2
    if moved.equal(s):
        break
    s = moved

# One of each group that came together, the one of the smallest gap
gap = step(s) - s
good = gap.abs().amax(1) <= 1e-11 * (1 + s.abs().amax(1))
left, kept = [k for k in gap.abs().amax(1).argsort(stable=True).tolist() if good[k]], []
while left:
    best = s[left[0]]
    near = (s - best).abs().amax(1) <= 1e-6 * (1 + best.abs().max())
    kept.append(left[0])
    left = [k for k in left if not near[k]]
kept.sort(key=lambda k: (s[k] / 1e-6).round().tolist())
points = s[kept]
gaps, slopes = step(points) - points, jacobian(points)
"""

_KINDS = """
def kind_of(k):
    \"\"\"What becomes of small changes at a fixed point, and its eigenvalues, the largest first.\"\"\"
    values = sorted(torch.linalg.eigvals(slopes[k]).tolist(),
                    key=lambda v: (-round(abs(v), 12), -v.real, -v.imag))
    sizes = [abs(v) for v in values]
    turns = "focus" if values[0].imag else "node"
    if kinked(k) or any(abs(size - 1) <= {margin} for size in sizes):
        return "marginal", values
    above = sum(size > 1 for size in sizes)
    return {{0: f"stable {{turns}}", len(sizes): f"unstable {{turns}}"}}.get(above, "saddle"), values


def kinked(k):
    \"\"\"Whether the map has a kink at a fixed point, as ReLU has where its sum is 0.\"\"\"
    point, aside = points[k], {aside} * (1 + points[k].abs().max())
    here = step(point[None])[0]
    for j in range(len(point)):
        for sign in (-1.0, 1.0):
            there = point.clone()
            there[j] += sign * aside
            slope = (step(there[None])[0] - here) / (there[j] - point[j])
            if (slope - slopes[k][:, j]).abs().max() > 1e-2 * (1 + slopes[k].abs().max()):
                return True
    return False

"""

_ORBIT = """
def orbit(start, T):
    \"\"\"s_0 … s_T.\"\"\"
    states = [torch.tensor([start])]
    for _ in range(T):
        states.append(step(states[-1]))
    return torch.cat(states)

"""


def cobweb_script(system: System, u: float, h0: float, T: int, cells: int, title: str, caption: str) -> str:
    """The curve, the orbit and the fixed points of one unit."""
    return (
        _opening(system, u, title, caption)
        + _newton(system)
        + _ORBIT
        + f"""
print("what,step,h,f,slope")
curve = grid({cells + 1})
for k, (h, f) in enumerate(zip(curve[:, 0].tolist(), step(curve)[:, 0].tolist())):
    print("curve", k, repr(h), repr(f), "nan", sep=",")
h = orbit([{h0!r}], {T})[:, 0].tolist()
for t in range({T}):
    print("orbit", t, repr(h[t]), repr(h[t + 1]), "nan", sep=",")
for k, (point, gap, slope) in enumerate(zip(points, gaps, slopes)):
    print("fixed point", k, *(repr(v.item()) for v in (point, point + gap, slope)), sep=",")
"""
    )


def plane_script(
    system: System, u: float, starts: tuple[tuple[float, ...], ...], T: int, title: str, caption: str
) -> str:
    """The field, the orbits and the fixed points of a system with two numbers of state."""
    return (
        _opening(system, u, title, caption)
        + _newton(system)
        + "\n"
        + _KINDS.format(margin=MARGIN, aside=ASIDE)
        + _ORBIT
        + f"""
print("what,number,step,s_1,s_2,change_1,change_2,eig_1_re,eig_1_im,eig_2_re,eig_2_im")
field = grid({d.FIELD})
for k, (s, change) in enumerate(zip(field.tolist(), (step(field) - field).tolist()), 1):
    print("field", k, 0, *map(repr, s + change), "nan,nan,nan,nan", sep=",")
for m, start in enumerate({starts!r}, 1):
    s = orbit(list(start), {T})
    for t in range({T}):
        change = s[t + 1] - s[t]
        print("orbit", m, t, *map(repr, s[t].tolist() + change.tolist()), "nan,nan,nan,nan", sep=",")
for k in range(len(points)):
    kind, values = kind_of(k)
    parts = [part for value in values for part in (value.real, value.imag)]
    print(kind, k + 1, 0, *map(repr, points[k].tolist() + gaps[k].tolist() + parts), sep=",")
"""
    )


def orbit_script(system: System, u: float, start: tuple[float, ...], T: int, title: str, caption: str) -> str:
    """The states of one run."""
    names = ",".join(f"s_{k + 1}" for k in range(len(start)))
    return (
        _opening(system, u, title, caption)
        + "\n"
        + _ORBIT
        + f"""
print("step,{names}")
for t, s in enumerate(orbit({list(start)!r}, {T}).tolist()):
    print(t, *map(repr, s), sep=",")
"""
    )


def head(system: System, u: float, title: str, caption: str) -> str:
    """A script's beginning: the parameters and the input."""
    lines = [
        f"{name} = torch.tensor({value.tolist()!r})  # ({', '.join(map(str, value.shape))})"
        for name, value in system.params.items()
    ]
    return _HEAD.format(
        title=quoted(title),
        caption=quoted(caption),
        system=system.title,
        blocks=" ".join(system.spec.blocks),
        H=system.H,
        parameters="\n".join(lines),
        u=u,
    )


def _opening(system: System, u: float, title: str, caption: str) -> str:
    """Everything up to the map and its window."""
    spec = system.spec
    return head(system, u, title, caption) + _STEP.format(
        project=indent(spec.code[0]),
        states=tuple_of(spec),
        n=len(spec.states),
        step=indent(spec.code[1]),
        window=list(system.window),
    )


def _newton(system: System) -> str:
    def ends(values: list[float]) -> str:
        said = [
            f'float("{v}")' if abs(v) == float("inf") else repr(v) for v in values for _ in range(system.H)
        ]
        return f"[{', '.join(said)}]"

    return _NEWTON.format(
        low=ends([state.low for state in system.spec.states]),
        high=ends([state.high for state in system.spec.states]),
        starts=d.STARTS,
        halvings=HALVINGS,
    )
