"""The figures of Gradient flow's tab “Remedies” as short PyTorch scripts, by autograd alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rnnviz.experiment import Model, Source
from rnnviz.flow_script import computed_in
from rnnviz.script import drawn, indent, opening, zero_states

SIZE = '''
def size(g):
    """Euclidean norm; scaled first, as the square of a small gradient would be zero."""
    g = g.double()
    scale = g.abs().max().item() or 1.0
    return scale * (g / scale).norm().item()
'''


@dataclass(frozen=True)
class Run:
    """One line of the figure, as a script has to run it.

    Attributes:
        remedy: its name in the table.
        model: what runs.
        window: of truncated BPTT; None for all of it.
        t_max: chrono's gate biases for memories of so many steps in place of the model's own; None for none.
        clip: θ: print the shares of the clipped gradient as well, as ``norm``; None for none.
    """

    remedy: str
    model: Model
    window: int | None = None
    t_max: float | None = None
    clip: float | None = None


def contributions_script(runs: Sequence[Run], source: Source, loss: str, title: str, caption: str) -> str:
    """A script that prints ‖(∂L/∂W_hh)_t‖ for each of these runs."""
    start = (
        SIZE
        + """

def show(remedy, sizes):
    for t, v in enumerate(sizes, 1):
        print(remedy, t, T - t, repr(v), sep=",")


exact = x
print("remedy,step,steps_back,norm")
"""
    )
    return opening(source, title, caption) + start + "".join(_shares(run, loss) for run in runs)


def clipping_script(model: Model, source: Source, loss: str, theta: float, title: str, caption: str) -> str:
    """A script that prints the sizes of all entries of dL/dW_hh, unclipped, and clipped in both ways."""
    return (
        opening(source, title, caption)
        + SIZE
        + "\n\nexact = x"
        + computed_in(model, True)
        + _run(model, loss, None)
        + f"""
{_clipped(theta)}
by_norm = (gradient * scale).abs().flatten().sort(descending=True).values
by_value = gradient.clamp(-{theta!r}, {theta!r}).abs().flatten().sort(descending=True).values
plain = gradient.abs().flatten().sort(descending=True).values
print("rank,size,clipped_by_norm,clipped_by_value")
for rank, row in enumerate(zip(plain.tolist(), by_norm.tolist(), by_value.tolist()), 1):
    print(rank, *map(repr, row), sep=",")
"""
    )


def _shares(run: Run, loss: str) -> str:
    """Rows of one run, and of the same clipped where that is asked for."""
    text = computed_in(run.model, True)
    if run.t_max is not None:
        text += _chrono(run.model, run.t_max)
    text += _run(run.model, loss, run.window) + f'show("{run.remedy}", map(size, shares))\n'
    if run.clip is not None:
        text += f'{_clipped(run.clip)}\nshow("norm", (size(share * scale) for share in shares))\n'
    return text


def _chrono(model: Model, t_max: float) -> str:
    """The model's matrices with the gate biases that chrono initialisation draws."""
    own = Model(model.cell, model.options, model.hidden_size, model.seed, "chrono", (("t_max", t_max),), None)
    blocks = [model.spec.blocks.index(gate.name) for gate in model.spec.gates if gate.memory]
    dtype = f"torch.{model.dtype}"
    return f"""
# The same matrices, with the gate biases of chrono initialisation
matrices, before = (W_ih, W_hh), (b_ih, b_hh)
torch.set_default_dtype(torch.float64)
{drawn(own, repr(model.seed))}
torch.set_default_dtype({dtype})
for k in {blocks}:
    for own, chrono in zip(before, (b_ih, b_hh)):
        own[k * H:(k + 1) * H] = chrono[k * H:(k + 1) * H].to({dtype})
(W_ih, W_hh), (b_ih, b_hh) = matrices, before
"""


def _run(model: Model, loss: str, window: int | None) -> str:
    """Forward and backward: ``shares``, one of W_hh a step, and ``others``, of the other parameters."""
    spec = model.spec
    cut = "".join(f"        {name} = {name}.detach()\n" for name in spec.state_names)
    truncate = f"    if t % {window} == 0:  # nothing flows back across\n{cut}" if window else ""
    read = "h_all[-1:]" if loss == "last" else "h_all"
    return f"""
# Forward, each step with a W_hh of its own; and back
shared, each = W_hh, []
leaves = W_ih, b_ih, b_hh = tuple(p.clone().requires_grad_() for p in (W_ih, b_ih, b_hh))
{spec.code[0]}
{zero_states(spec)}
outputs = []
for t in range(T):
{truncate}    W_hh = shared.clone().requires_grad_()
    each.append(W_hh)
{indent(spec.code[1])}
    outputs.append(h)
h_all = torch.stack(outputs)
loss = {read}.sum() / math.sqrt(H)
found = torch.autograd.grad(loss, [*each, *leaves], materialize_grads=True)
shares, others = found[:T], found[T:]
"""


def _clipped(theta: float) -> str:
    """Lines that clip by norm over all parameters: ``gradient`` of W_hh, and ``scale``."""
    return f"""gradient = torch.stack(shares).sum(0)
norm = size(torch.cat([gradient.flatten(), *(g.flatten() for g in others)]))
scale = min(1.0, {theta!r} / (norm + 1e-6))  # as torch.nn.utils.clip_grad_norm_"""
