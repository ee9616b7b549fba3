"""Small sweeps, and workers of which a test knows what they were given."""

import subprocess
import time
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

from rnnviz.engine.learning import learning_of
from rnnviz.engine.outcome import outcomes_of
from rnnviz.engine.train import TrainConfig, train
from rnnviz.sweep import Sweep, as_csv, executors
from rnnviz.sweep.work import train_one

QUICK = TrainConfig(
    "recall", 5, "lstm", hidden_size=4, seeds=(0, 1), steps=30, eval_every=10, batch_size=5, forget_bias=1.0
)
SMALL = Sweep(QUICK, (10, 5), ("rnn", "lstm", "gru"), ("torch", "chrono"), (0.01,))
PATIENCE = 100.0


def table_here(sweep):
    """The table that plain training in this process gives."""
    return as_csv(
        [one for config in sweep.configs for one in outcomes_of(learning_of(config, train(config)))]
    )


def wait(ready, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def rest(sweeping):
    sweeping.join(PATIENCE)
    assert sweeping.status != "running"
    return sweeping


class Here:
    """Workers that work at once, in the thread that asks; ``instead(config)`` may say what else happens."""

    width, one_fate = 2.0, True
    lost = executors.Local.lost

    def __init__(self, instead=lambda config: None):
        self.given, self.instead = [], instead
        self.opened = 0

    def submit(self, fn, config):
        assert fn is train_one
        self.given.append(config)
        future = Future()
        try:
            future.set_result(self.instead(config) or train_one(config))
        except BaseException as error:
            future.set_exception(error)
        return future

    def trouble(self):
        return ""

    def end(self):
        pass

    def instead_of(self, monkeypatch):
        """Take the place of what a sweep would open."""

        @contextmanager
        def opened(*where):
            self.opened += 1
            try:
                yield self
            finally:
                self.end()

        monkeypatch.setattr(executors, "opened", opened)
        return self


def alive(pid):
    """Whether a process runs; one that nobody has asked about since its end does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


LONG = Sweep(replace(QUICK, steps=20_000), (900, 1000), ("lstm", "gru"))
