"""All memory tasks, by name."""

from rnnviz.engine.task import Task
from rnnviz.tasks.adding import ADDING, ADDING_1997
from rnnviz.tasks.copy_memory import COPY
from rnnviz.tasks.counting import ANBN, ANBNCN
from rnnviz.tasks.digits import DIGIT_PIXELS, DIGIT_ROWS
from rnnviz.tasks.dyck import DYCK1, DYCK2
from rnnviz.tasks.latch import LATCH
from rnnviz.tasks.multiplication import MULTIPLICATION
from rnnviz.tasks.parity import PARITY, PARITY_RUNNING
from rnnviz.tasks.reber import REBER
from rnnviz.tasks.recall import RECALL
from rnnviz.tasks.sines import SINES
from rnnviz.tasks.temporal_order import TEMPORAL_ORDER
from rnnviz.tasks.three_taps import THREE_TAPS

__all__ = ["TASKS"]

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        ADDING,
        ADDING_1997,
        MULTIPLICATION,
        COPY,
        TEMPORAL_ORDER,
        LATCH,
        RECALL,
        REBER,
        PARITY,
        PARITY_RUNNING,
        ANBN,
        ANBNCN,
        DYCK1,
        DYCK2,
        THREE_TAPS,
        DIGIT_ROWS,
        DIGIT_PIXELS,
        SINES,
    )
}
