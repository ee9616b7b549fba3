"""Training runs outside of the server's own work: jobs, limits, worker processes and their queue."""

from rnnviz.runs.job import Job
from rnnviz.runs.pool import Pool, pool
from rnnviz.runs.run import Run

__all__ = ["Job", "Pool", "Run", "pool"]
