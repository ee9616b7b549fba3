"""Heavy imports off the critical path: after the first page is painted, not before."""

from __future__ import annotations

import gc
import threading
import time

_painted = threading.Event()


def painted() -> None:
    """Say that a page is on screen, so that the rest may load."""
    _painted.set()


def start() -> None:
    """Wait in the background for the first page, then load what the other pages need."""
    threading.Thread(target=_warm, name="warm", daemon=True).start()


def _warm() -> None:
    if _painted.wait(timeout=3):
        time.sleep(0.5)  # the browser still fetches what the page needs
    import pandas  # noqa: F401 # Streamlit's charts need it at their first data

    from rnnviz import export  # noqa: F401
    from rnnviz.experiment import Input
    from rnnviz.ui import cached, controls, flow_cached, flow_remedies_cached, flow_spectrum_cached

    source = Input("impulse", 3)
    for model in controls.model_of_each_cell():
        cached.warm(model, source)
        flow_cached.warm(model, source)
        flow_spectrum_cached.warm(model, source)
        flow_remedies_cached.warm(model, source)
    # Streamlit walks every object after each run; what will never be freed need not be walked.
    gc.collect()
    gc.freeze()
