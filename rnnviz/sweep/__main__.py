"""A sweep from the command line: ``python -m rnnviz.sweep --task recall --lags 10,20,50 --cells rnn,gru``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from rnnviz.engine.cells import CELLS
from rnnviz.engine.optimisers import OPTIMISERS
from rnnviz.engine.schemes import SCHEMES
from rnnviz.engine.train_config import TrainConfig
from rnnviz.store import VARIABLE, store
from rnnviz.sweep import executors
from rnnviz.sweep.grid import Sweep
from rnnviz.sweep.sweeping import CANCELLED, FINISHED, RUNNING, Sweeping
from rnnviz.sweep.table import as_csv
from rnnviz.tasks import TASKS

LOOK = 0.2  # seconds between looks at how it stands
T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sweep; what to exit with: 0, 1 where it failed, 130 where it was stopped."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        sweep = _sweep(given)
        if given.workers is None:
            executors.workers_asked()
    except ValueError as error:
        parser.error(str(error))
    file: Path | None = given.csv
    if file is not None and (file.is_dir() or not os.access(file.parent, os.W_OK)):
        parser.error(f"argument --csv: {file} cannot be written")
    _mention(sweep)
    sweeping = Sweeping(sweep, store(), given.scheduler, workers=given.workers)
    try:
        _follow(sweeping)
    except KeyboardInterrupt:
        sweeping.cancel()
        with suppress(KeyboardInterrupt):
            sweeping.join()
    if sweeping.note:
        _say(sweeping.note)
    # Where the store could not keep what is finished, nothing else does.
    if sweeping.status == FINISHED or (sweeping.note and sweeping.done):
        try:
            _write(as_csv(sweeping.outcomes), file)
        except OSError as error:
            _say(f"The table could not be written: {error.strerror}.")
            return 1
    if sweeping.status == FINISHED:
        return 0
    kept = f"{sweeping.done} of {sweeping.total} trainings are finished"
    on = "the same command computes the rest" if not sweeping.note else "the table has them"
    if sweeping.status == CANCELLED:
        _say(f"Stopped. {kept}; {on}.")
        return 130
    _say(f"{sweeping.why} {kept}; {on}.")
    return 1


def _mention(sweep: Sweep) -> None:
    """Say which cells cannot have which first weights: they are trained with others, once."""
    for cell in sweep.cells:
        for scheme in sweep.schemes:
            drawn = sweep.config(sweep.lengths[0], cell, scheme, sweep.lrs[0]).scheme
            if drawn != scheme:
                _say(f"{CELLS[cell].title} cannot be drawn as {scheme}; it is drawn as {drawn}.")


def _follow(sweeping: Sweeping) -> None:
    """Show on the terminal how it goes, until it is at rest."""
    tqdm.monitor_interval = 0  # no thread of its own
    live = sys.stderr.isatty()
    with tqdm(total=1.0, file=sys.stderr, bar_format="{percentage:3.0f} % |{bar}| {desc}", leave=True) as bar:
        done = -1
        while True:
            going = sweeping.status == RUNNING
            if live or sweeping.done != done or not going:
                done = sweeping.done
                bar.n = min(1.0, sweeping.share)
                bar.set_description_str(f"{done} of {sweeping.total} trainings{_left(sweeping)}")
            if not going:
                return
            sweeping.join(LOOK)


def _left(sweeping: Sweeping) -> str:
    seconds = sweeping.seconds_left()
    if seconds is None:
        return ""
    if seconds < 100:
        return f", {seconds:.0f} s left"
    return f", {seconds / 60:.0f} min left" if seconds < 6000 else f", {seconds / 3600:.1f} h left"


def _write(text: str, file: Path | None) -> None:
    """To the terminal, or the whole file or none."""
    if file is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        new.write_text(text, encoding="utf-8")
        os.replace(new, file)
    finally:
        new.unlink(missing_ok=True)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _sweep(given: argparse.Namespace) -> Sweep:
    """What the arguments ask for; raises ValueError."""
    task = TASKS[given.task]
    base = TrainConfig(
        given.task,
        given.lags[0],
        hidden_size=given.hidden,
        seeds=tuple(range(given.first_seed, given.first_seed + given.seeds)),
        steps=given.steps,
        batch_size=given.batch,
        optimizer=given.optimizer,
        clip=given.clip,
        forget_bias=given.forget_bias,
        stop_at=None if given.to_the_end else task.metric.success,
    )
    return Sweep(base, given.lags, given.cells, given.init, given.lr)


def _parser() -> argparse.ArgumentParser:
    usual = TrainConfig("adding", 10)
    parser = argparse.ArgumentParser(
        "python -m rnnviz.sweep",
        description="Train every cell at every lag, and print what came of each seed as CSV. What the store "
        f"({VARIABLE}) has is not trained again, so a sweep that was stopped goes on where it stood.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--task", required=True, choices=TASKS, metavar="TASK", help=", ".join(TASKS))
    add("--lags", required=True, type=_several(int), metavar="N,N,…", help="lengths of the task")
    add("--cells", default=tuple(CELLS), type=_several(str), metavar="CELL,…", help=", ".join(CELLS))
    add("--init", default=("torch",), type=_several(str), metavar="SCHEME,…", help=", ".join(SCHEMES))
    add("--lr", default=(usual.lr,), type=_several(float), metavar="RATE,…", help=f"default: {usual.lr}")
    add(
        "--steps", default=usual.steps, type=int, metavar="N", help=f"updates at most; default: {usual.steps}"
    )
    add("--to-the-end", action="store_true", help="train on when every seed has solved the task")
    add("--seeds", default=len(usual.seeds), type=_count, metavar="N", help=f"default: {len(usual.seeds)}")
    add("--first-seed", default=0, type=int, metavar="N", help="default: 0")
    add("--hidden", default=usual.hidden_size, type=int, metavar="H", help=f"default: {usual.hidden_size}")
    add("--batch", default=usual.batch_size, type=int, metavar="B", help=f"default: {usual.batch_size}")
    add("--optimizer", default=usual.optimizer, choices=OPTIMISERS, help=f"default: {usual.optimizer}")
    add("--clip", default=usual.clip, type=_clip, metavar="NORM", help="a number, or never; default: 1")
    add("--forget-bias", type=float, metavar="B", help="of cells with a forget gate")
    add("--scheduler", metavar="ADDRESS", help=f"a Dask scheduler; default: {executors.SCHEDULER}, or none")
    add("--workers", type=_count, metavar="N", help=f"processes; default: {executors.WORKERS}, or the cores")
    add("--csv", type=Path, metavar="FILE", help="write the table there, not to the terminal")
    return parser


def _several(kind: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    def read(text: str) -> tuple[T, ...]:
        try:
            return tuple(kind(part.strip()) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no list such as 10,20,50") from None

    return read


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= executors.MOST_WORKERS):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 1 to {executors.MOST_WORKERS}")
    return int(text)


def _clip(text: str) -> float | None:
    try:
        return None if text == "never" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a number, or never") from None


if __name__ == "__main__":
    sys.exit(main())
