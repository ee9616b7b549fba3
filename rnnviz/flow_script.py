"""Gradient flow's figures as short PyTorch scripts: the same numbers by autograd alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rnnviz.engine import CellSpec
from rnnviz.experiment import Model, Source
from rnnviz.script import indent, opening, parameters, tuple_of, zero_states

_SIZE = '''
def size(g):
    """Euclidean norm; scaled first, as the square of a small gradient would be zero."""
    g = g.double()
    scale = g.abs().max().item() or 1.0
    return scale * (g / scale).norm().item()


def show(cell, state, sizes, first):
    """One row a step, from the step ``first`` on."""
    sizes = list(sizes)
{largest}    for t, v in enumerate(sizes, first):
        print(cell, state{dtype}, t, T - t, repr(v){relative}, sep=",")

'''


def gradient_script(
    models: tuple[Model, ...],
    source: Source,
    loss: str,
    title: str,
    caption: str,
    subject: str = "states",
    relative: bool = False,
) -> str:
    """A script that prints ‖∂L/∂s_t‖ of every state of every cell by autograd, or what ``subject`` names.

    Of models in float32 it prints the same run in float64, too, as the figure has both.

    Args:
        models, source: what runs.
        loss: ``last`` or ``all``.
        title, caption: the figure's.
        subject: ``states``, ``inputs`` or ``weights``.
        relative: whether each norm over the largest of its curve is printed as well.
    """
    full = tuple(replace(model, dtype="float64") for model in models)
    both = full != models
    read = "h_all[-1:]" if loss == "last" else "h_all"
    columns = ["cell", "state", *(["dtype"] if both else []), "step", "steps_back", "norm"]
    columns += ["relative_to_own_largest"] if relative else []
    start = _SIZE.format(
        largest="    largest = max((v for v in sizes if math.isfinite(v)), default=0.0) or 1.0\n"
        if relative
        else "",
        dtype=', str(x.dtype).removeprefix("torch.")' if both else "",
        relative=", repr(v / largest)" if relative else "",
    )
    runs = (*models, *full) if both else models
    return each(runs, source, title, caption, columns, lambda spec: _SUBJECTS[subject](spec, read), start)


def step_norm_script(models: tuple[Model, ...], source: Source, title: str, caption: str) -> str:
    """A script that prints ‖∂s_t/∂s_{t-1}‖₂ of every state of every cell, by autograd."""
    columns = ("cell", "state", "step", "steps_back", "norm")
    return each(models, source, title, caption, columns, _of_steps)


def _forward(spec: CellSpec, read: str, before: str = "", tail: str = "", always: str = "") -> str:
    """Run and loss; lines ``before`` all, ``always`` at each step, and what makes the first states leaves."""
    return f"""
# Forward, with everything kept for the way back
{before}{spec.code[0]}
{zero_states(spec, tail=tail)}
states = [({tuple_of(spec)})]
for t in range(T):
{always}{indent(spec.code[1])}
    states.append(({tuple_of(spec)}))
h_all = torch.stack([s[0] for s in states[1:]])
loss = {read}.sum() / math.sqrt(H)
"""


def _of_states(spec: CellSpec, read: str) -> str:
    return f"""{_forward(spec, read, tail=".requires_grad_()")}
for name, kept in zip({spec.state_names!r}, zip(*states)):
    gradients = torch.autograd.grad(loss, kept, retain_graph=True, materialize_grads=True)
    show("{spec.name}", name, map(size, gradients), 0)
"""


def _of_inputs(spec: CellSpec, read: str) -> str:
    return f"""{_forward(spec, read, before="x = x.detach().requires_grad_()" + chr(10))}
(gradient,) = torch.autograd.grad(loss, x)
show("{spec.name}", "x", map(size, gradient), 1)
x = x.detach()
"""


def _of_weights(spec: CellSpec, read: str) -> str:
    own = "    W_hh = shared.clone().requires_grad_()  # this step's own\n    each.append(W_hh)\n"
    return f"""{_forward(spec, read, before="shared, each = W_hh, []" + chr(10), always=own)}
gradients = torch.autograd.grad(loss, each, materialize_grads=True)
show("{spec.name}", "W_hh", map(size, gradients), 1)
"""


_SUBJECTS = {"states": _of_states, "inputs": _of_inputs, "weights": _of_weights}


def _of_steps(spec: CellSpec) -> str:
    return f"""{jacobians(spec)}
for k, name in enumerate({spec.state_names!r}):
    for t, jacobian in enumerate(jacobians, 1):
        norm = torch.linalg.matrix_norm(jacobian[k][k][0, :, 0].double(), ord=2).item()
        print("{spec.name}", name, t, T - t, repr(norm), sep=",")
"""


def jacobians(spec: CellSpec) -> str:
    """Lines that differentiate every step: ``jacobians``, one a step."""
    return f"""
# Each step's own Jacobian
{spec.code[0]}
{zero_states(spec)}


def step({", ".join(spec.state_names)}):
{indent(spec.code[1])}
    return {tuple_of(spec)}


jacobians = []
for t in range(T):
    jacobians.append(torch.autograd.functional.jacobian(step, ({tuple_of(spec)})))
    {tuple_of(spec)} = step({", ".join(spec.state_names)})
"""


def each(
    models: Sequence[Model],
    source: Source,
    title: str,
    caption: str,
    columns: Sequence[str],
    part: Callable[[CellSpec], str],
    start: str = "",
) -> str:
    """A script of one table over all cells: ``start``, a header, then each cell's rows by its ``part``."""
    rounded = any(model.dtype != "float64" for model in models)
    header = f'\n{"exact = x" + chr(10) if rounded else ""}print("{",".join(columns)}")\n'
    parts = [computed_in(model, rounded) + part(model.spec) for model in models]
    return opening(source, title, caption) + start + header + "".join(parts)


def computed_in(model: Model, rounded: bool) -> str:
    """A model's parameters, drawn in float64, and with the input rounded to what it is computed in."""
    if not rounded:
        return parameters(model)
    arrays = "W_ih, W_hh, b_ih, b_hh, x"
    return f"""
torch.set_default_dtype(torch.float64)  # what weights are drawn in
{parameters(model)}
torch.set_default_dtype(torch.{model.dtype})
{arrays} = (v.to(torch.{model.dtype}) for v in (W_ih, W_hh, b_ih, b_hh, exact))
"""
