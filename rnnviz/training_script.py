"""The Memory lab's figures as PyTorch scripts: the same protocol, with nothing of this package in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rnnviz.engine.optimisers import TITLES
from rnnviz.engine.stack import READOUT, stream
from rnnviz.engine.task import Task
from rnnviz.engine.train import TrainConfig
from rnnviz.engine.validation import COUNT, SEED, sequences
from rnnviz.experiment import Model, TaskSequence, Trained
from rnnviz.printed_source import Sources
from rnnviz.runs import Job
from rnnviz.script import drawn, embedded, indent, opening, quoted, tuple_of, zero_states
from rnnviz.training_template import BATCH, HEAD, REACH, TRAIN, UPDATES

_IMPORTS = "import torch\nfrom torch import Tensor\nfrom typing import NamedTuple"
NAMES = (
    *("length", "D", "O", "measure", "unseen", "seeds", "steps", "batch_size", "eval_every", "reach_every"),
    *("optimiser", "lr", "clip", "stop_at", "dtype", "first_weights", "answers", "judge", "update", "train"),
)


def training_script(job: Job, title: str, caption: str, reach: bool = False) -> str:
    """A script that trains every cell and seed of a job, and prints every update, or ‖dL/dh_t‖ of some."""
    task, names = job.task, _names(job)
    sources = sources_of(task, [*names, *(f"draw_{name}" for name in names)])
    sources.add("import math")
    draw, loss, measure = map(sources.expression, (task.draw, task.loss, task.metric.of))
    reached = ">=" if task.metric.higher_is_better else "<="
    body = [
        _task(job, sources),
        f"measure = {measure}  # {task.metric.title}\n",
        f"D, O = {task.input_size}, {task.output_size}  # numbers in and out at each step\n",
        TRAIN.format(loss=loss, draw=draw, reached=reached, **(REACH if reach else UPDATES)),
    ]
    settings: dict[str, str] = {}
    for name, config in zip(names, job.configs, strict=True):
        own = settings_of(config)
        changed = [f"{key} = {said}" for key, said in own.items() if settings.get(key) != said]
        about = f"# {config.spec.title}" + "".join(f", {k}: {v}" for k, v in config.spec.options)
        body += ["\n" + "\n".join([about, *changed]) + "\n", cell_functions(name, config)]
        body.append(f'\n\ntrain("{name}", {name}, draw_{name})\n')
        settings = own
    what = (
        "Trains the figure's models and prints "
        + ("dL/dh_t's norm" if reach else "every update, the metric where it is evaluated")
        + " as CSV.\nThe same numbers but for rounding, which many updates can amplify."
    )
    return head(title, caption, what, sources) + "".join(body)


def example_script(job: Job, b: int, title: str, caption: str) -> str:
    """A script that prints one of the sequences that no model of a job trains on, the first b = 0."""
    task, batch = job.task, sequences(job.task, job.length)
    sources = sources_of(task, ())
    heads, empty, names = ["target"], '[""]', f"outputs = {task.outputs!r}\n"
    if batch.legal is not None:
        target = '["/".join(outputs[k] for k in legal[t].nonzero().flatten())]'
    elif batch.y.dim() == 2:
        target = "[outputs[y[t]]]"
    else:
        heads, names = [f"target {name}" for name in task.outputs], ""
        target, empty = "y[t].tolist()", f'[""] * {len(heads)}'
    columns = ["step", *(f"input {name}" for name in task.inputs), *heads, "mask"]
    body = f"""{_task(job, sources)}
# Sequence {b + 1} of those that no model trains on
x, y, mask, legal = (part if part is None else part[:, {b}] for part in unseen)
{names}
print({",".join(columns)!r})
for t in range(len(x)):
    target = {target} if mask[t] else {empty}
    print(t + 1, *x[t].tolist(), *target, mask[t].item(), sep=",")
"""
    return head(title, caption, "Prints the sequence as CSV.", sources) + body


def before_after_script(
    models: tuple[Trained, Trained], sequence: TaskSequence, title: str, caption: str
) -> str:
    """A script that prints the hidden state on one sequence at two moments of a model's training."""
    parts = [opening(sequence, title, caption), '\nprint("when,step,unit,h")\n']
    for when, model in zip(("before", "after"), models, strict=True):
        spec = model.config.spec
        weights = {name: value for name, value in model.weights().items() if name not in READOUT}
        parts.append(f"""
# {model.title}
H = {model.config.hidden_size}
{embedded(weights)}
{spec.code[0]}
{zero_states(spec)}
for t in range(T):
{indent(spec.code[1])}
    for unit, value in enumerate(h[0].tolist(), 1):
        print("{when}", t + 1, unit, value, sep=",")
""")
    return "".join(parts)


def head(title: str, caption: str, what: str, sources: Sources) -> str:
    """A script's first lines: what it is, what it needs, what it imports."""
    return HEAD.format(
        title=quoted(title), caption=quoted(caption), what=what, needs=sources.needs, imports=sources.imports
    )


def sources_of(task: Task, reserved: Iterable[str]) -> Sources:
    """The lines that a task's functions count on."""
    sources = Sources(_IMPORTS, ("Batch",), (*NAMES, *reserved))
    for part in task.parts:
        sources.add(part)
    return sources


def task_lines(task: Task, sources: Sources) -> tuple[str, str]:
    """All functions added so far with the task's, and the call that draws what models are judged by."""
    sources.add(stream)
    rng = f'stream({SEED}, "validation")'
    unseen = sources.call(task.validation or task.draw, str(COUNT), "length", rng)
    blocks = "\n\n\n".join(sources.blocks)
    return f"{BATCH}\n# {task.title}\n{blocks}\n", unseen


def _task(job: Job, sources: Sources) -> str:
    """The task, and the sequences that models are judged by."""
    lines, unseen = task_lines(job.task, sources)
    return f"{lines}\n\nlength = {job.length}\nunseen = {unseen}\n"


def _names(job: Job) -> list[str]:
    """What the script calls each cell."""
    names: list[str] = []
    for config in job.configs:
        count = sum(name.partition("_")[0] == config.cell for name in names)
        names.append(f"{config.cell}_{count + 1}" if count else config.cell)
    return names


def settings_of(config: TrainConfig) -> dict[str, str]:
    """The lines that a cell is trained by, name -> value."""
    clip = "math.inf  # never" if config.clip is None else f"{config.clip!r}  # the gradient's largest norm"
    return {
        "seeds": repr(config.seeds),
        "steps": repr(config.steps),
        "batch_size": repr(config.batch_size),
        "eval_every": repr(config.eval_every),
        "reach_every": repr(config.state_grads_every or 1),
        "optimiser": f"torch.optim.{TITLES[config.optimizer]}",
        "lr": repr(config.lr),
        "clip": clip,
        "stop_at": "None  # never" if config.stop_at is None else f"{config.stop_at!r}  # by every seed",
        "dtype": f"torch.{config.dtype}",
    }


def cell_functions(name: str, config: TrainConfig, options: Mapping[str, str] | None = None) -> str:
    """A cell as two functions: its first weights, and its equations through time.

    Args:
        name: what the script calls it.
        config: what it is.
        options: how the script says a scheme's option where that is no number.
    """
    spec, states = config.spec, config.spec.state_names
    said: Any = {**dict(config.scheme_options), **(options or {})}  # printed, not computed with
    model = Model(
        config.cell,
        config.options,
        config.hidden_size,
        scheme=config.scheme,
        scheme_options=tuple(said.items()),
        forget_bias=config.forget_bias,
    )
    cut = ""
    if config.truncate is not None:
        cut = f"""
        if t and t % {config.truncate} == 0:  # the way back ends here, the state goes on
            {tuple_of(spec)} = {", ".join(f"{s}.detach()" for s in states)}{"," * (len(states) == 1)}"""
    return f"""

def draw_{name}(seed):
    \"""First weights in float64, scheme {config.scheme}.\"""
{indent(drawn(model, "seed", "torch.float64"))}
    return W_ih, W_hh, b_ih, b_hh


def {name}(x, W_ih, W_hh, b_ih, b_hh):
    \"""h_1 to h_T, (T, B, H).\"""
    B, H = x.shape[1], W_hh.shape[1]
{indent(spec.code[0])}
    {" = ".join(states)} = x.new_zeros(B, H)
    h_all = []
    for t in range(len(x)):{cut}
{indent(indent(spec.code[1]))}
        h_all.append(h)
    return h_all
"""
