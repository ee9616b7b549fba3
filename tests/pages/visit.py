"""Opens a page without a browser, as a link would, and reads what is on it."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamlit.elements.lib import policies
from streamlit.testing.v1 import AppTest

from rnnviz.ui.pages import PAGES, ROOT, Page

ROUTER = ROOT.parent / "rnnviz" / "ui" / "router.py"


def visit(page: Page, **query: object) -> AppTest:
    """Open a page with these values in its link."""
    at = AppTest.from_file(str(ROUTER), default_timeout=60).run()
    at.query_params.update({key: str(value) for key, value in query.items()})
    if page is PAGES[0]:
        return at.run()
    return at.switch_page(f"../../pages/{page.path}").run()


def values(at: AppTest) -> dict[str, Any]:
    """Every bound control on the page and what it holds."""
    kinds = ("slider", "selectbox", "button_group", "text_input", "text_area")
    return {widget.key: widget.value for kind in kinds for widget in at.get(kind)}


def set_control(at: AppTest, key: str, value: Any) -> AppTest:
    """Move one control, whatever its kind, and run the page."""
    kinds = ("slider", "selectbox", "button_group", "text_input", "text_area")
    (widget,) = [widget for kind in kinds for widget in at.get(kind) if widget.key == key]
    widget.set_value(value)
    return at.run()


def told(at: AppTest) -> list[str]:
    """Every sentence in a box on the page, without Markdown's escapes."""
    boxes = [box.value for box in (*at.warning, *at.error)]
    return [re.sub(r"\\(.)", r"\1", line) for box in boxes for line in box.split("  \n")]


def figures(at: AppTest) -> list[dict[str, Any]]:
    """The specification of every chart on the page; each must have data and say what it shows."""
    found = []
    for chart in at.get("vega_lite_chart"):
        spec = json.loads(chart.proto.spec)
        assert spec["description"]
        assert len(chart.proto.datasets) > 0
        assert all(dataset.data.data for dataset in chart.proto.datasets)
        found.append(spec)
    return found


def check_whole(at: AppTest, count: int = 2) -> None:
    """The page ran to its end, has its figures and complains about nothing."""
    assert [error.value for error in at.exception] == []
    assert told(at) == []
    assert len(figures(at)) == count


@contextmanager
def quiet_log() -> Iterator[None]:
    """Nothing within may make Streamlit log a warning, as it does about a default beside session state."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    policies._shown_default_value_warning = False  # Streamlit says it once a process; here each time counts
    loggers = [logging.getLogger(name) for name in logging.Logger.manager.loggerDict if "streamlit" in name]
    ear = Ear(logging.WARNING)
    for logger in loggers:
        logger.addHandler(ear)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(ear)
    said = sorted({line for line in said if "missing ScriptRunContext" not in line})
    assert said == []
