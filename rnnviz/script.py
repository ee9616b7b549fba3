"""A figure as a short PyTorch script: the same numbers, with nothing of this package in it.

The scripts use the engine's own operations in the engine's own order, so that their numbers agree to
the last bits even where the dynamics are chaotic. They print the figure's table as CSV.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from torch import Tensor

from rnnviz.engine import CellSpec
from rnnviz.experiment import Model, Source, caption_of
from rnnviz.whatif import WhatIf

AS_IT_IS = WhatIf()

_HEAD = '''"""{title}

{caption}
Prints the figure's numbers as CSV. Needs PyTorch only.
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

_DRAW = {
    "torch": """\
bound = 1 / math.sqrt(H)
for p in (W_ih, W_hh, b_ih, b_hh):
    p.uniform_(-bound, bound, generator=rng)""",
    "glorot": """\
for W in (W_ih, W_hh):
    for block in W.chunk(G):
        torch.nn.init.xavier_uniform_(block, generator=rng)""",
    "orthogonal": """\
for block in W_ih.chunk(G):
    torch.nn.init.xavier_uniform_(block, generator=rng)
for block in W_hh.chunk(G):
    torch.nn.init.orthogonal_(block, {gain}, generator=rng)""",
    "identity": """\
W_ih.normal_(0.0, {std}, generator=rng)
for block in W_hh.chunk(G):
    torch.nn.init.eye_(block).mul_({gain})""",
}
_DRAW["scaled"] = (
    _DRAW["torch"]
    + """
for block in W_hh.chunk(G):
    block.mul_({radius} / torch.linalg.eigvals(block).abs().max())"""
)
_DRAW["chrono"] = (
    _DRAW["torch"]
    + """
b_keep = W_hh.new_empty(H).uniform_(1.0, {t_max} - 1.0, generator=rng).log()"""
)
_DEFAULTS = {"gain": 1.0, "std": 0.001, "radius": 1.0, "t_max": 100.0}


def trace_script(
    model: Model,
    source: Source,
    title: str,
    caption: str,
    unit: int | None = None,
    whatif: WhatIf = AS_IT_IS,
) -> str:
    """A script that runs one cell and prints every state and gate, of every unit or of one (from 1)."""
    names = [equation.name for equation in model.spec.equations]
    row = '*(repr(v.item()) for v in values[:, {}]), sep=",")'
    if unit is None:
        head, tail = (
            "step,unit,",
            "    for unit in range(H):\n        print(t, unit + 1, " + row.format("unit"),
        )
    else:
        head, tail = "step,", "    print(t, " + row.format(f"{unit} - 1")
    return (
        opening(source, title, caption)
        + _changed_input(whatif)
        + parameters(model)
        + _through_time(model, f"torch.stack([{', '.join(names)}])[:, 0]", whatif)
        + f"""
print("{head}{",".join(names)}")
for t, values in enumerate(record, 1):
{tail}
"""
    )


def path_script(model: Model, source: Source, title: str, caption: str, whatif: WhatIf = AS_IT_IS) -> str:
    """A script that prints the hidden state's path along its three principal directions."""
    return (
        opening(source, title, caption)
        + _changed_input(whatif)
        + parameters(model)
        + _through_time(model, "h[0]", whatif)
        + """
# Principal directions of the states, the first of them included; each has its largest weight positive
states = torch.stack([torch.zeros(H), *record])
centred = states - states.mean(0)
_, _, directions = torch.linalg.svd(centred, full_matrices=False)
signs = directions.gather(1, directions.abs().argmax(1, keepdim=True)).sign()
scores = centred @ (directions * signs).T[:, :3]

print("step,direction_1,direction_2,direction_3")
for t, row in enumerate(scores.tolist()):
    print(t, *map(repr, row), sep=",")
"""
    )


def opening(source: Source, title: str, caption: str) -> str:
    """A script's beginning, up to its input."""
    return _HEAD.format(title=quoted(title), caption=quoted(caption), signal=source.signal().code)


def quoted(text: str) -> str:
    """Any text as part of a docstring, which it cannot end."""
    return text.replace("\\", "\\\\").replace('"', "'").replace("\0", "␀")


def parameters(model: Model) -> str:
    """Lines that give a script the model's parameters, float64."""
    if model.trained:
        sizes = f"H, G = {model.hidden_size}, {len(model.spec.blocks)}\n"
        return f"\n# {caption_of([model])}\n{sizes}{embedded(model.trained.weights())}"
    return f"\n# {caption_of([model])}\n{drawn(model, repr(model.seed))}\n"


def drawn(model: Model, seed: str, dtype: str = "") -> str:
    """Lines that draw a cell's parameters as `init_params` does; ``seed`` is what the script calls it."""
    spec, more = model.spec, f", dtype={dtype}" if dtype else ""
    draw = _DRAW[model.scheme].format(**{**_DEFAULTS, **dict(model.scheme_options)})
    lines = [
        f"H, G = {model.hidden_size}, {len(spec.blocks)}  # blocks {' '.join(spec.blocks)}",
        f"W_ih, W_hh = torch.zeros(G * H, D{more}), torch.zeros(G * H, H{more})",
        f"b_ih, b_hh = torch.zeros(G * H{more}), torch.zeros(G * H{more})",
        f"rng = torch.Generator().manual_seed({seed})",
        draw,
    ]
    biases = {
        gate.name: "b_keep" if gate.memory > 0 else "-b_keep"
        for gate in spec.gates
        if gate.memory and model.scheme == "chrono"
    }
    if model.own_forget_bias is not None:
        biases["f"] = repr(model.own_forget_bias)
    for gate, value in biases.items():
        k = spec.blocks.index(gate)
        lines += [f"b_ih[{k} * H:{k + 1} * H], b_hh[{k} * H:{k + 1} * H] = {value}, 0.0  # {gate}"]
    return "\n".join(lines)


def embedded(weights: Mapping[str, Tensor]) -> str:
    """Trained numbers as lines of a script: float32, as they were trained, in base64."""
    lines = ["import base64", ""]
    for name, value in weights.items():
        data = base64.b64encode(value.float().numpy().tobytes()).decode()
        lines.append(f'{name} = torch.frombuffer(bytearray(base64.b64decode("{data}")), dtype=torch.float32)')
        lines.append(f"{name} = {name}.double().reshape({tuple(value.shape)})")
    return "\n".join(lines) + "\n"


def _changed_input(whatif: WhatIf) -> str:
    lines = []
    for step, feature, value in whatif.edits:
        if feature is not None:
            lines.append(f"x[{step - 1}] = 0")
        lines.append(f"x[{step - 1}, 0, {feature or 0}] = {value!r}")
    return "\n# What if\n" + "\n".join(lines) + "\n" if lines else ""


_HOLD = """
# What if: name, value, units from 0 and steps from 1, None for all
held = {held}


def hold(name, t, values):
    values = values.clone()
    for what, value, units, steps in held:
        if what == name and (steps is None or t + 1 in steps):
            values[:, slice(None) if units is None else list(units)] = value
    return values

"""


def _through_time(model: Model, kept: str, whatif: WhatIf) -> str:
    clamps = whatif.held(model.spec)
    held = [(clamp.name, clamp.value, clamp.units, clamp.steps) for clamp in clamps]
    return f"""{_HOLD.format(held=held) if held else ""}
# Through time
{model.spec.code[0]}
{zero_states(model.spec)}
record = []
for t in range(T):
{indent(_holding(model.spec.code[1], {clamp.name for clamp in clamps}))}
    record.append({kept})
"""


def _holding(code: str, names: set[str]) -> str:
    """The step's code, each held value replaced as soon as it is there."""
    lines = []
    for line in code.splitlines():
        lines.append(line)
        assigned = line.partition(" = ")[0].split(", ")
        lines += [f'{name} = hold("{name}", t, {name})' for name in assigned if name in names]
    return "\n".join(lines)


def zero_states(spec: CellSpec, tail: str = "") -> str:
    """Lines that start every state at zero."""
    return "\n".join(f"{name} = torch.zeros(B, H){tail}" for name in spec.state_names)


def tuple_of(spec: CellSpec) -> str:
    """``h, c`` or ``h,``: a tuple also of one."""
    return ", ".join(spec.state_names) + ("," if len(spec.states) == 1 else "")


def indent(code: str) -> str:
    """One level deeper."""
    return "\n".join("    " + line for line in code.splitlines())
