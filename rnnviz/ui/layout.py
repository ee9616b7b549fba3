"""Furniture that every page shares: its head, a figure with its export bar, notes and errors."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from rnnviz.ui import scrub, state

if TYPE_CHECKING:
    from rnnviz.charts.figure import Columns, Figure
    from rnnviz.charts.scene import Scene

ASSETS = Path(__file__).resolve().parents[2] / "assets"
_log = logging.getLogger(__name__)

PRESENT_SCALE = 1.4
_PIXELS = {"fontSize", "labelFontSize", "titleFontSize", "titlePadding", "strokeWidth"}
PRESENT = state.Switch("present", "Present", False)

_copy_link = st.components.v2.component(
    "rnnviz_copy_link",
    html="<button type='button'><span aria-live='polite'>Copy link</span></button>",
    css=(ASSETS / "copy_link.css").read_text(encoding="utf-8"),
    js=(ASSETS / "copy_link.js").read_text(encoding="utf-8"),
)


def frame() -> None:
    """What stands around every page: its name, its width and the app's style sheet."""
    st.set_page_config(
        page_title="rnnviz", page_icon=str(ASSETS / "favicon.png"), layout="wide", initial_sidebar_state=290
    )
    st.html(ASSETS / "app.css")


def header(title: str, sentence: str) -> None:
    """A page's title, the one sentence that says what to look at, and its link."""
    words, link, present = st.columns([6.4, 1.5, 1.3], vertical_alignment="center")
    with words, st.container(key="words"):
        st.title(title, anchor=False)
        st.markdown(sentence)
    with link:
        _copy_link(key="copy_link", on_theme_change=lambda: None)  # a rerun in the new mode's colours
    with present, st.container(key="presenter"):
        PRESENT.draw()
    if presenting():
        st.html(ASSETS / "present.css")


def presenting() -> bool:
    """Whether the page is shown to a room: large, its controls folded away."""
    return bool(st.session_state.get("present"))


def show_notes(place: DeltaGenerator) -> None:
    """What a link or input asked for and could not have, above the page."""
    notes = state.take_notes()
    if notes:
        place.warning("  \n".join(escape(note) for note in notes), icon=":material/info:")


def show_failure(error: Exception) -> bool:
    """The one place for what went wrong unforeseen: a sentence for the audience, the trace in the log."""
    _log.error("a page failed", exc_info=error)
    known = isinstance(error, ValueError)
    what = escape(str(error)) if known else f"Something went wrong ({type(error).__name__})."
    advice = "Change a control, or open the page anew without what follows the ? in its address."
    st.error(f"{what} {advice}", icon=":material/error:")
    return True


def escape(text: str) -> str:
    """Text as it is, with nothing in it read as Markdown."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|<>$~:" else c for c in text)


def is_dark() -> bool:
    """Whether the visitor's page is dark."""
    return bool(st.context.theme.type == "dark")


def figure(fig: Figure, configuration: Mapping[str, Any], script: Callable[[], str]) -> None:
    """A figure with its title above, its caption and export bar beneath.

    Args:
        fig: what to draw.
        configuration: what its files are named after.
        script: makes the PyTorch script that reproduces its table.
    """
    picture(fig)
    files(fig, configuration, file_formats(fig), script)


def picture(fig: Figure) -> None:
    """A figure without its export bar: one that changes by itself."""
    st.markdown(f"##### {escape(fig.title)}")
    height = round(fig.height * (PRESENT_SCALE if presenting() else 1))
    st.vega_lite_chart(on_screen(fig), height=height, width="stretch", key=fig.stem)
    words_under(fig)


def table(
    stem: str,
    title: str,
    columns: Columns,
    caption: str,
    configuration: Mapping[str, Any],
    script: Callable[[], str],
) -> None:
    """A table with its title above, its caption and export bar beneath.

    Args:
        stem: start of its files' names.
        title, caption: what to see, and the configuration and seed.
        columns: of equal length.
        configuration, script: as for `figure`.
    """
    import pandas as pd

    from rnnviz import export
    from rnnviz.tables import table_markdown

    st.markdown(f"##### {title}")
    shown = {
        name: [f"{v:.3g}" if isinstance(v, float) else v for v in column] for name, column in columns.items()
    }
    st.table(pd.DataFrame(shown).set_index(next(iter(columns))))
    st.html(f'<p class="under">{html.escape(caption)}</p>')
    makers = {
        "CSV": partial(export.table_csv, columns),
        "Markdown": partial(table_markdown, columns),
    }
    _bar(stem, configuration, makers, script)


def scene(view: Scene, configuration: Mapping[str, Any], script: Callable[[], str]) -> None:
    """A picture in three dimensions, framed like `figure`; the camera above it saves it as it was turned."""
    from rnnviz import export

    st.markdown(f"##### {view.title}")
    camera = export.plotly_camera_config(view.stem)
    st.plotly_chart(view.figure, height=view.height, width="stretch", key=view.stem, config=camera)
    words_under(view)
    files(view, configuration, {"HTML": partial(export.plotly_html, view.figure)}, script)
    st.caption(
        "PNG at 1920 × 1080: the camera above the picture, as you turned it. A browser draws three "
        "dimensions as pixels, so there is no SVG; for PDF, print the HTML page."
    )


def on_screen(fig: Figure) -> dict[str, Any]:
    """The specification with its data apart: while the rest stays the same, the browser only repaints."""
    from rnnviz.charts.figure import ROWS
    from rnnviz.charts.theme import SCREEN

    tables = {name: scrub.sendable(columns) for name, columns in fig.tables().items()}
    data = {"data": {"name": ROWS}, "datasets": tables}
    drawn = {**fig.spec, "config": SCREEN}
    return {**(_enlarged(drawn) if presenting() else drawn), **data, "description": fig.title}


def _enlarged(node: Any) -> Any:
    """A specification whose type is read from the last row: a chart sets its own, in pixels."""
    if isinstance(node, dict):
        return {
            key: value * PRESENT_SCALE
            if key in _PIXELS and isinstance(value, int | float)
            else _enlarged(value)
            for key, value in node.items()
        }
    return [_enlarged(item) for item in node] if isinstance(node, list) else node


def _drawn(format: str, fig: Figure, dark: bool) -> bytes:
    from rnnviz import export
    from rnnviz.charts.theme import vega_config

    draw: Callable[..., bytes] = getattr(export, f"chart_{format.lower()}")
    return draw(fig.standalone(moving=format == "HTML"), config=vega_config(dark))


def exports(fig: Figure, configuration: Mapping[str, Any], script: Callable[[], str]) -> None:
    """A figure's files without the figure: of one that the page shows in another way."""
    st.markdown(f"###### As a figure for print: {fig.title}")
    words_under(fig, seen=False)  # it stands under the picture already
    files(fig, configuration, file_formats(fig), script)


def file_formats(fig: Figure) -> dict[str, Callable[[], bytes]]:
    """What makes each of a figure's pictures as a file."""
    dark = is_dark()
    return {name: partial(_drawn, name, fig, dark) for name in ("PNG", "SVG", "PDF", "HTML")}


def words_under(fig: Figure | Scene, seen: bool = True) -> None:
    """A figure's formula and configuration for who sees it, and its description for who hears it."""
    if fig.formula and seen:
        st.markdown(f"${fig.formula.latex}$")
    under = f'<p class="under">{html.escape(fig.caption)}</p>' if seen else ""
    st.html(f'{under}<p class="aloud">{html.escape(fig.description)}</p>')


def files(
    fig: Figure | Scene,
    configuration: Mapping[str, Any],
    formats: Mapping[str, Callable[[], bytes]],
    script: Callable[[], str],
) -> None:
    """A figure's files, in these formats and as CSV, and the script that reproduces its table."""
    from rnnviz import export

    _bar(fig.stem, configuration, {**formats, "CSV": partial(export.table_csv, fig.table)}, script)


def _bar(
    stem: str,
    configuration: Mapping[str, Any],
    makers: Mapping[str, Callable[[], bytes]],
    script: Callable[[], str],
) -> None:
    """Everything that something leaves the app as."""
    from rnnviz import export

    with st.container(horizontal=True, gap="small", key=f"export_{stem}"):
        for name, make in makers.items():
            mime, ending = _MIME[name]
            st.download_button(
                name,
                data=make,
                file_name=export.filename(stem, configuration, ending),
                mime=mime,
                on_click="ignore",
                key=f"{stem}_{name}",
                type="tertiary",
                help=f"Download this as {name}",
            )
        show = st.button(
            "Show the code",
            key=f"{stem}_code",
            type="tertiary",
            help="The PyTorch script that prints these numbers",
        )
    if show:
        _show_code(script(), stem, export.filename(stem, configuration, "py"))


_MIME = {
    "PNG": ("image/png", "png"),
    "SVG": ("image/svg+xml", "svg"),
    "PDF": ("application/pdf", "pdf"),
    "HTML": ("text/html", "html"),
    "CSV": ("text/csv", "csv"),
    "Markdown": ("text/markdown", "md"),
}


@st.dialog("The PyTorch behind this figure", width="large")
def _show_code(code: str, stem: str, file_name: str) -> None:
    st.caption("It needs PyTorch only, and prints the figure's numbers as CSV.")
    st.code(code, language="python", height=460)
    st.download_button(
        "Download the script",
        data=code,
        file_name=file_name,
        mime="text/x-python",
        on_click="ignore",
        key=f"{stem}_py",
    )
