"""A machine's figure and table as PyTorch scripts, its weights written out as matrices."""

from __future__ import annotations

from collections.abc import Sequence

from rnnviz.machines import Given, Machine
from rnnviz.machines.machine import Weights
from rnnviz.machines.trials import EACH, LONG
from rnnviz.machines.words import subscript
from rnnviz.printed_source import Sources
from rnnviz.script import indent, quoted, zero_states

_HEAD = '''"""{title}

{caption}
Prints the {what} as CSV. Needs PyTorch only.
"""
from __future__ import annotations

import torch

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
Rows = tuple[tuple[int, ...], ...]  # one row a step
'''
_GIVEN = ("Rows",)


def tape_script(machine: Machine, given: Given, title: str, caption: str) -> str:
    """A script that runs a machine and its specification, and prints what the tape shows."""
    H, O = machine.H, len(machine.V)
    letters = bool(given.symbols)
    names = ["input"] if letters else list(machine.inputs)
    names += [f"{machine.reads}_{k}" for k in range(1, H + 1)]
    names += [f"{what}_{k}" for k in range(1, O + 1) for what in ("y", "specification")]
    said = f"symbols = {''.join(given.symbols)!r}\n" if letters else ""
    first = "symbols[t]" if letters else "*given[t]"
    wanted, functions = _specification(machine)
    return f"""{_HEAD.format(title=quoted(title), caption=quoted(caption), what="figure's numbers")}
# The input: a row a step, a column each for {", ".join(machine.inputs)}
{said}given = {given.x!r}
x = torch.tensor(given).double().unsqueeze(1)  # (T, B=1, D)
{weights(machine)}
# Through time
{_run(machine)}
{functions}
wanted = {wanted}

print("step,{",".join(names)}")
for t, (s, y) in enumerate(zip(states, outputs)):
    pairs = [number for pair in zip(map(repr, y[0].tolist()), wanted[t]) for number in pair]
    print(t + 1, {first}, *map(repr, s[0].tolist()), *pairs, sep=",")
"""


def count_script(machines: Sequence[Machine], title: str, caption: str) -> str:
    """A script that runs counters over aⁿbⁿ and prints how far they are off, and from which n on."""
    parts = "".join(
        f"""
# {machine.what}
{weights(machine)}

def read_out(x):
    T, B, D = x.shape
{indent(_run(machine))}
    return torch.stack(outputs)[..., 0]


errors = [largest_error(n)[n - 1].item() for n in {LONG!r}]
within_half = largest_error({EACH}, every=True) < 0.5
wrong = (~within_half).nonzero()
first = int(wrong[0]) + 1 if len(wrong) else "none"
print('"{machine.what}"', *map(repr, errors), first, sep=",")
"""
        for machine in machines
    )
    header = ",".join(["cell", *(f"error at n = {n}" for n in LONG), "wrong from n"])
    return f"""{_HEAD.format(title=quoted(title), caption=quoted(caption), what="table")}

def largest_error(most, every=False):
    \"\"\"max |y − (#a − #b)| over n times a and n times b, for n = most or every n up to it.\"\"\"
    n = torch.arange(1, most + 1) if every else torch.tensor([most])
    a = torch.arange(2 * most)[:, None] < n
    x = torch.stack([a, ~a], -1).double()  # (T, B, 2)
    count = (x[..., 0] - x[..., 1]).cumsum(0)
    error = (read_out(x) - count).abs()
    error[torch.arange(2 * most)[:, None] >= 2 * n] = 0  # behind the string
    found = torch.zeros(most)
    found[n - 1] = error.amax(0)
    return found


print("{header}")
{parts}"""


def weights(machine: Machine) -> str:
    """The matrices, a row a line, with what each row belongs to."""
    spec, H = machine.spec, machine.H
    owners = [f"{name}{k + 1}" if len(spec.blocks) > 1 else "" for name in spec.blocks for k in range(H)]
    stands = [" ".join(filter(None, [owner, machine.units[k % H]])) for k, owner in enumerate(owners)]
    outputs = [f"{subscript('y', k)}, {name}" for k, name in enumerate(machine.outputs, 1)]
    return "\n".join(
        [
            f"\n# The weights; blocks {' '.join(spec.blocks)}, columns of W_ih: {', '.join(machine.inputs)}",
            f"H = {H}",
            f"W_ih = {_matrix(machine.W_ih, stands)}",
            f"W_hh = {_matrix(machine.W_hh, stands)}",
            f"b_ih = torch.tensor({list(machine.bias)})",
            "b_hh = torch.zeros_like(b_ih)",
            f"V = {_matrix(machine.V, outputs)}",
        ]
    )


def _matrix(rows: Weights, said: Sequence[str]) -> str:
    lines = [f"    {list(row)},  # {words}" for row, words in zip(rows, said, strict=True)]
    return "\n".join(["torch.tensor([", *lines, "])"])


def _run(machine: Machine) -> str:
    spec = machine.spec
    return f"""B = x.shape[1]
{spec.code[0]}
{zero_states(spec)}
states, outputs = [], []
for t in range(len(x)):
{indent(spec.code[1])}
    states.append({machine.reads})
    outputs.append({machine.reads} @ V.T)"""


def _specification(machine: Machine) -> tuple[str, str]:
    """How the script says the specification of what was given, and the functions that it takes."""
    sources = Sources(
        "import torch", _GIVEN, ("H", "W_ih", "W_hh", "b_ih", "b_hh", "V", "x", "given", "wanted")
    )
    said = sources.expression(machine.specification)
    functions = "\n\n\n".join(sources.blocks)
    partial = "from functools import partial\n" if "partial(" in said else ""
    return f"{said}(given)", f"\n# The specification, in whole numbers\n{partial}\n\n{functions}\n"
