"""Runs that come with the program, finished: ``python -m rnnviz.lectures`` trains and writes them anew."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from rnnviz.engine import CELLS
from rnnviz.engine.learning import learning_of
from rnnviz.engine.train import train
from rnnviz.engine.train_config import TrainConfig
from rnnviz.keeper import ENDING, FINISHED
from rnnviz.run_config import run_id
from rnnviz.run_file import Kept, KeptCell, copy_of, pack
from rnnviz.runs.job import Job
from rnnviz.runs.worker import save_every
from rnnviz.store import SHELF
from rnnviz.tasks import TASKS


@dataclass(frozen=True)
class Lecture:
    """A run with its story.

    Attributes:
        title: what a lecturer calls it.
        job: what is trained, as the Memory lab's controls ask for it.
        shows: what the run shows, and what it does not.
    """

    title: str
    job: Job
    shows: str


def _job(task: str, length: int, H: int = 32, steps: int = 1000, chrono: float | None = None) -> Job:
    """RNN, LSTM and GRU with the Memory lab's defaults, but for these changes; ``chrono`` is its T_max."""
    configs = []
    for spec in CELLS.values():
        gated = any(gate.memory for gate in spec.gates)
        configs.append(
            TrainConfig(
                task,
                length,
                spec.name,
                spec.options,
                H,
                steps=steps,
                scheme="chrono" if chrono and gated else "torch",
                scheme_options=(("t_max", chrono),) if chrono and gated else (),
                forget_bias=1.0 if "f" in spec.gate_names and not chrono else None,
                stop_at=TASKS[task].metric.success,
                state_grads_every=max(1, steps // 100),
            )
        )
    return Job(tuple(configs))


# What each says was measured when it was written, with further seeds where it matters.
LECTURES: tuple[Lecture, ...] = (
    Lecture(
        "Adding, 50 steps",
        _job("adding", 50),
        "GRU first, LSTM later; after 1,000 steps the tanh RNN still answers like a model without memory. "
        "That is no proof that it cannot: at learning rate 0.001 the same three RNNs got there, after 6,500 "
        "to 12,400 steps.",
    ),
    Lecture(
        "Adding, 150 steps",
        _job("adding", 150, steps=2000),
        "Three times as far: the GRU takes no longer, the LSTM twice as long, the RNN stays at the baseline "
        "for 2,000 steps. Not shown: that LSTMs are worse; another forget bias changes this picture.",
    ),
    Lecture(
        "Recall after 200 steps",
        _job("recall", 200),
        "PyTorch's initial weights: within 1,000 steps neither LSTM nor GRU leaves chance, while two of "
        "three RNNs are at twice chance. Not shown: that gates cannot; the next run changes the gates' "
        "first biases only.",
    ),
    Lecture(
        "Recall after 200 steps, chrono",
        _job("recall", 200, chrono=200.0),
        "Gate biases drawn for memories of up to 200 steps, all else as in the run before: LSTM and GRU are "
        "right within 500 steps. Not shown: that they find this time scale themselves; they were told it. "
        "The RNN has no gates and is the same.",
    ),
    Lecture(
        "Temporal order, 100 steps",
        _job("temporal_order", 100, chrono=100.0),
        "With chrono biases both gated cells get the order right within 300 steps; the RNN guesses. Not "
        "shown: PyTorch's biases, where at 1,000 steps all three guess.",
    ),
    Lecture(
        "Embedded Reber grammar",
        _job("reber", 40),
        "All three solve it, the plain RNN too: the strings are short. Not shown: an advantage of gates. The "
        "Elman network that failed in 1997 was trained in another way.",
    ),
    Lecture(
        "Copy memory",
        _job("copy", 20, H=64, steps=3000, chrono=100.0),
        "LSTM and GRU recall most of the ten symbols after 3,000 steps, and none reaches 99 %; the RNN "
        "guesses. Not shown: a ranking of LSTM and GRU, whose seeds overlap. Equal units are not equal "
        "parameters.",
    ),
)
# What makes the files small: steps at most whose weights come along, the first and the last among them, and
# that of the records of ‖∂L/∂h_t‖ every second one does.
SAVED, EVERY = 3, 2


def lecture_of(key: str) -> Lecture | None:
    """The lecture whose run has this name."""
    return next((lecture for lecture in LECTURES if run_id(lecture.job.configs) == key), None)


def trained(job: Job) -> Kept:
    """A job's run as it is shipped; takes up to minutes."""
    cells = []
    for config in job.configs:
        training, start = train(config), time.perf_counter()
        weights, records = {0: copy_of(training.params)}, []
        for record in training:
            records.append(record)
            if record.last or record.step % save_every(config) == 0:
                weights[record.step] = copy_of(training.params)
        seconds = time.perf_counter() - start
        cells.append(_thin(KeptCell(learning_of(config, records), weights, seconds)))
    return Kept(tuple(cells), FINISHED)


def _thin(cell: KeptCell) -> KeptCell:
    steps, learning = sorted(cell.weights), cell.learning
    some = [steps[round(k)] for k in np.linspace(0, len(steps) - 1, min(SAVED, len(steps)))]
    return replace(
        cell,
        weights={step: cell.weights[step] for step in some},
        learning=replace(
            learning,
            asked_steps=learning.asked_steps[::EVERY],
            state_grad_norms=learning.state_grad_norms[::EVERY],
        ),
    )


def main() -> None:
    """Train all, and write them to the shelf."""
    torch.set_num_threads(1)
    SHELF.mkdir(parents=True, exist_ok=True)
    wanted = {f"{run_id(lecture.job.configs)}{ENDING}": lecture for lecture in LECTURES}
    for old in SHELF.glob(f"*{ENDING}"):
        if old.name not in wanted:
            old.unlink()
    for name, lecture in wanted.items():
        data = pack(trained(lecture.job))
        (SHELF / name).write_bytes(data)
        print(f"{name}  {len(data):>9,} bytes  {lecture.title}", flush=True)


if __name__ == "__main__":
    main()
