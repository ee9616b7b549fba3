"""The mathematics: cells, their runs through time, and gradients back through it. Torch and numpy only."""

import os

import torch

from rnnviz.engine.bptt import bptt
from rnnviz.engine.cells import CELLS
from rnnviz.engine.clamp import Clamp, lesion
from rnnviz.engine.clipping import Clip
from rnnviz.engine.fixed_points import FixedPoints, fixed_points
from rnnviz.engine.graph import Edge, Graph, Node, Stage
from rnnviz.engine.jacobians import jacobians, lyapunov
from rnnviz.engine.params import count_params, init_params
from rnnviz.engine.pca import principal_components
from rnnviz.engine.products import ProductTrace, direct_log_norms, end_products
from rnnviz.engine.schemes import SCHEMES
from rnnviz.engine.spec import CellSpec, Equation, GateSpec, StateSpec
from rnnviz.engine.torch_io import from_torch, to_torch
from rnnviz.engine.trace import GradTrace, JacobianTrace, Trace
from rnnviz.engine.unroll import unroll
from rnnviz.engine.wires import WireTrace, wires

# At these sizes a second thread makes a step up to ten times slower; whoever sets one of these knows better.
if not {"RNNVIZ_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"} & set(os.environ):
    torch.set_num_threads(1)
elif "RNNVIZ_THREADS" in os.environ:
    torch.set_num_threads(int(os.environ["RNNVIZ_THREADS"]))

__all__ = [
    "CELLS",
    "SCHEMES",
    "CellSpec",
    "Clamp",
    "Clip",
    "Edge",
    "Equation",
    "FixedPoints",
    "GateSpec",
    "GradTrace",
    "Graph",
    "JacobianTrace",
    "Node",
    "ProductTrace",
    "Stage",
    "StateSpec",
    "Trace",
    "WireTrace",
    "bptt",
    "count_params",
    "direct_log_norms",
    "end_products",
    "fixed_points",
    "from_torch",
    "init_params",
    "jacobians",
    "lesion",
    "lyapunov",
    "principal_components",
    "to_torch",
    "unroll",
    "wires",
]
