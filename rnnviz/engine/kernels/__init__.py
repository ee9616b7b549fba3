"""Many models at once: a kernel for every cell, its own where it has one."""

from rnnviz.engine.kernels.kernel import Gradients, Kernel
from rnnviz.engine.kernels.plain import Plain
from rnnviz.engine.spec import CellSpec

__all__ = ["Gradients", "Kernel", "Plain", "kernel_of"]


def kernel_of(spec: CellSpec) -> Kernel:
    """The cell's own kernel, or its plain definition with autograd behind the same face."""
    return spec.kernel() if spec.kernel else Plain(spec)
