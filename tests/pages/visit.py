"""Opens a page without a browser, as a link would, and reads what is on it."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pyarrow as pa
from streamlit.elements.lib import policies
from streamlit.testing.v1 import AppTest

from rnnviz.ui import controls
from rnnviz.ui.held import Held
from rnnviz.ui.pages import ROOT, Page
from tests.charts.payload import Payload

ROUTER = ROOT.parent / "rnnviz" / "ui" / "router.py"
KINDS = ("slider", "select_slider", "selectbox", "button_group", "text_input", "text_area", "toggle")
HELD = {control.key: name for name, control in controls.CELL.items() if isinstance(control, Held)}


def visit(page: Page, **query: object) -> AppTest:
    """Open a page first of all, with these values in its link; a list stands there several times."""
    at = AppTest.from_file(str(ROUTER), default_timeout=60)
    at._registered_pages = _pages()
    for key, value in query.items():
        at.query_params[key] = value if isinstance(value, list) else str(value)
    return at.switch_page(f"../../pages/{page.path}").run()


def go(at: AppTest, page: Page) -> AppTest:
    """Change to a page by the menu, which leaves the link behind."""
    at.query_params.clear()
    return at.switch_page(f"../../pages/{page.path}").run()


@cache
def _pages() -> Any:
    """What AppTest otherwise learns by opening Home first, which a link does not."""
    return AppTest.from_file(str(ROUTER), default_timeout=60).run()._registered_pages


def values(at: AppTest) -> dict[str, Any]:
    """Every bound control on the page and what it holds, those that the stepper holds as a link says them."""
    found = {widget.key: widget.value for kind in KINDS for widget in at.get(kind)}
    if any(key.startswith("cell_") for key in found):
        found |= {key: at.session_state[key] for key in HELD}
        found["cell_direction"] = controls.CELL["back"].said(found["cell_direction"])
    return found


def table(at, title, *names):
    """The rows that the figure of this title draws from: its lines' points, and of the tables so named."""
    for chart in at.get("vega_lite_chart"):
        if title in json.loads(chart.proto.spec)["description"]:
            tables = {part.name: bytes(part.data.data) for part in chart.proto.datasets}
            read = [pa.ipc.open_stream(tables[name]).read_all().to_pylist() for name in ("rows", *names)]
            return [row for rows in read for row in rows]
    raise AssertionError(f"no figure of the title {title}")


def set_control(at: AppTest, key: str, value: Any) -> AppTest:
    """Move one control, whatever its kind, and run the page."""
    if key in HELD:
        return move(at, {HELD[key]: value})
    (widget,) = [widget for kind in KINDS for widget in at.get(kind) if widget.key == key]
    widget.set_value(value)
    return at.run()


def move(at: AppTest, cursor: Any) -> AppTest:
    """Let the stepper say where the visitor went, over the way that its message takes, and run the page.

    AppTest has no hand for components; what they send is added to what the widgets do.
    """
    (part,) = _steppers(at)
    state = at._tree.get_widget_states()
    state.widgets.add(id=part.id, json_value=json.dumps({"cursor": cursor}))
    return at._run(state)


def _steppers(at: AppTest) -> list[Any]:
    return [p.proto for p in at.get("bidi_component") if p.proto.component_name == "rnnviz_stepper"]


def sent(at: AppTest) -> Payload:
    """What the page hands to its stepper, read as the browser would."""
    (part,) = _steppers(at)
    return Payload(bytes(part.bytes))


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


def pictures(at: AppTest) -> list[dict[str, Any]]:
    """Every picture on the page: its charts, and its stepper's run, which must have numbers and a name."""
    runs = [Payload(bytes(part.bytes)).head for part in _steppers(at)]
    assert all(run["caption"] and run["arrays"] and run["T"] >= 2 for run in runs)
    return [*figures(at), *runs]


def check_whole(at: AppTest, count: int = 2) -> None:
    """The page ran to its end, has its pictures and complains about nothing."""
    assert [error.value for error in at.exception] == []
    assert told(at) == []
    assert len(pictures(at)) == count


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
