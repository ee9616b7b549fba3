"""Many small trainings over one grid: how far back can each cell be asked?"""

from rnnviz.sweep.finished import known
from rnnviz.sweep.grid import Sweep
from rnnviz.sweep.sweeping import Sweeping
from rnnviz.sweep.table import as_csv, columns, outcomes_in

__all__ = ["Sweep", "Sweeping", "as_csv", "columns", "known", "outcomes_in"]
