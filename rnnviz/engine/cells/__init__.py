"""The registry of cells; a new cell is one file here and one line below."""

from rnnviz.engine.cells.gru import gru
from rnnviz.engine.cells.lstm import lstm
from rnnviz.engine.cells.rnn import rnn
from rnnviz.engine.spec import CellSpec

CELLS: dict[str, CellSpec] = {spec.name: spec for spec in (rnn(), lstm(), gru())}
