"""The figure that a run is judged by: on fixed sequences that no model was trained on."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rnnviz.engine.batches import counted
from rnnviz.engine.kernels import kernel_of
from rnnviz.engine.spec import Params
from rnnviz.engine.stack import read, stream
from rnnviz.engine.task import Batch, Task

if TYPE_CHECKING:
    from rnnviz.engine.train_config import TrainConfig

COUNT = 1000  # sequences
SEED = 2_718_281_828  # of their stream; the same for every run of a task and length
NUMBERS = 2**24  # that a kernel keeps at once on the way forward


@lru_cache(maxsize=8)
def sequences(task: Task, length: int) -> Batch:
    """The sequences that runs of a task and length are judged by, and that no model is trained on."""
    return task.fixed(COUNT, length, stream(SEED, "validation"))


class Validation:
    """A task's metric over the same sequences, time after time."""

    def __init__(self, config: TrainConfig) -> None:
        """Take the task's sequences."""
        task = config.memory_task
        self._metric, self._kernel = task.metric, kernel_of(config.spec)
        fixed = sequences(task, config.length)
        self._x = fixed.x.to(getattr(torch, config.dtype)).unsqueeze(1)  # (T,1,B,D)
        self._part, self._steps = counted(fixed)
        T, count = fixed.x.shape[:2]
        a_sequence = T * len(config.seeds) * config.hidden_size * (len(config.spec.blocks) + 2)
        most = max(1, min(250, NUMBERS // a_sequence))
        # Parts of one size, so that the kernel keeps its buffers.
        self._size = next(size for size in range(min(most, count), 0, -1) if count % size == 0)

    @torch.no_grad()
    def of(self, params: Params) -> Tensor:
        """Each model's figure, (K,), float64."""
        K = params["W_hy"].shape[0]
        outputs = []
        for x in torch.split(self._x, self._size, dim=2):
            h = self._kernel.forward(params, x.expand(-1, K, -1, -1))["h"][1:]
            outputs.append(read(params, h[self._steps]))
        output = torch.cat(outputs, dim=2)
        return torch.stack([self._metric.of(output[:, k], self._part) for k in range(K)]).double()
