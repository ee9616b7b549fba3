"""One training of a sweep, in whatever process it is asked for."""

from __future__ import annotations

import time

import torch

from rnnviz import run_file
from rnnviz.engine.learning import learning_of
from rnnviz.engine.train import Training
from rnnviz.engine.train_config import TrainConfig
from rnnviz.keeper import FINISHED
from rnnviz.run_file import Kept, KeptCell, copy_of


def train_one(config: TrainConfig) -> bytes:
    """Train a configuration to its end.

    Whoever calls this in a process of their own finds torch's number of threads as it was.

    Returns:
        A run's file: curves, the weights before the first and after the last update, no checkpoint.

    Raises:
        ValueError: what cannot be trained.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # each worker has one core, and a sum in parts is another sum
    try:
        start = time.perf_counter()
        training = Training(config)
        weights = {0: copy_of(training.params)}
        learning = learning_of(config, training)
        weights[learning.step] = copy_of(training.params)
        cell = KeptCell(learning, weights, time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return run_file.pack(Kept((cell,), FINISHED))
