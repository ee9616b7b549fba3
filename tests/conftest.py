"""Every test has a store of its own: the user's is never read and never written."""

import os
import shutil
import tempfile

# When this file is imported, before any test module is, and handed on to every process that a test starts.
_HOME = tempfile.mkdtemp(prefix="rnnviz-tests-")
os.environ["RNNVIZ_HOME"] = _HOME


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)
