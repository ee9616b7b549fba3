"""Re-export while the house moves: the contract lives in rnnviz.engine.task."""

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Metric, Task

__all__ = ["Baseline", "Batch", "Example", "Lengths", "Metric", "Task"]
