"""What one press of Start trains."""

from __future__ import annotations

from dataclasses import dataclass

from rnnviz.engine.stack import parameter_count
from rnnviz.engine.task import Task
from rnnviz.engine.train import TrainConfig


@dataclass(frozen=True)
class Job:
    """One task, learned by several cells side by side.

    Attributes:
        configs: one a cell, of the same task and length.

    Raises:
        ValueError: no configuration, or configurations of different tasks.
    """

    configs: tuple[TrainConfig, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be shown in one picture."""
        if not self.configs:
            raise ValueError("The cells are none; allowed: at least one.")
        if len({(config.task, config.length) for config in self.configs}) > 1:
            raise ValueError("The configurations are of different tasks; allowed: one task and length.")

    @property
    def task(self) -> Task:
        """The task."""
        return self.configs[0].memory_task

    @property
    def length(self) -> int:
        """Its length."""
        return self.configs[0].length

    def parameters(self) -> list[int]:
        """What each cell's model learns, readout included."""
        D, O = self.task.input_size, self.task.output_size
        return [parameter_count(config.spec, D, config.hidden_size, O) for config in self.configs]
