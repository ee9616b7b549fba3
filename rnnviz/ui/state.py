"""Controls whose name is their key in the URL, and whose limits hold for links as for widgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

_NOTES = "_notes"


@dataclass(frozen=True)
class Control:
    """One widget, bound to the URL.

    Attributes:
        key: its name in the URL, unique in the app.
        label: what it says.
        default: left out of the URL.
        help: shown on hover.
    """

    key: str
    label: str
    default: Any
    help: str | None = None

    def draw(self, **limits: Any) -> Any:
        """Show the widget and return its value.

        Args:
            **limits: fields to replace for this once, such as ``high`` where it depends on another control.
        """
        control = self if not limits else type(self)(**{**self.__dict__, **limits})
        control._greet_link()
        return control._widget(help=control.help, key=control.key, bind="query-params")

    def problem(self, raw: str) -> str | None:
        """What is wrong with a value from a link, in one sentence; None if it is good."""
        raise NotImplementedError

    def _widget(self, **common: Any) -> Any:
        raise NotImplementedError

    def _greet_link(self) -> None:
        """Note what a link asks for and cannot have; Streamlit then falls back to the default."""
        if self.key not in st.session_state and self.key in st.query_params:
            problem = self.problem(st.query_params[self.key])
            if problem:
                note(problem)

    def _refusal(self, raw: str, allowed: str, used: str = "the default") -> str:
        shown = raw if len(raw) <= 30 else raw[:30] + "…"
        return f"{self.label} in the link ({self.key}) is “{shown}”; allowed: {allowed}. Shown is {used}."


@dataclass(frozen=True)
class Choice(Control):
    """One of a few; ``options`` maps what is shown, also in the URL, to what is meant."""

    options: Mapping[str, Any] = ()  # type: ignore[assignment] # a default only because the fields before have one

    def problem(self, raw: str) -> str | None:
        """As in `Control`."""
        return None if raw in self.options else self._refusal(raw, ", ".join(self.options))

    def _widget(self, **common: Any) -> Any:
        names = list(self.options)
        if len(names) <= 3:
            name = st.segmented_control(self.label, names, default=self.default, required=True, **common)
        else:
            name = st.selectbox(self.label, names, index=names.index(self.default), **common)
        return self.options[name or self.default]


@dataclass(frozen=True)
class Number(Control):
    """A slider from ``low`` to ``high``; whole numbers if ``step`` is one."""

    low: float = 0
    high: float = 1
    step: float = 1

    def problem(self, raw: str) -> str | None:
        """As in `Control`."""
        allowed = f"{self.low:g} to {self.high:g}"
        try:
            value = float(raw)
        except ValueError:
            return self._refusal(raw, allowed)
        if not self.low <= value <= self.high:  # false for nan, too
            return self._refusal(raw, allowed)
        if isinstance(self.step, int) and value != int(value):
            return self._refusal(raw, f"whole numbers from {allowed}", used=f"{int(value)}")
        return None

    def _widget(self, **common: Any) -> Any:
        # A limit that moved takes the value along, where Streamlit would go back to the default.
        default = min(max(self.default, self.low), self.high)
        if self.key in st.session_state and not self.low <= st.session_state[self.key] <= self.high:
            st.session_state[self.key] = min(max(st.session_state[self.key], self.low), self.high)
        return st.slider(self.label, self.low, self.high, default, self.step, **common)


@dataclass(frozen=True)
class Text(Control):
    """A line or, with ``lines``, an area of text of at most ``max_chars`` characters."""

    max_chars: int = 400
    lines: int = 1

    def problem(self, raw: str) -> str | None:
        """As in `Control`; Streamlit keeps what fits."""
        if len(raw) <= self.max_chars:
            return None
        return (
            f"{self.label} in the link ({self.key}) has {len(raw)} characters; "
            f"the first {self.max_chars} are used."
        )

    def _widget(self, **common: Any) -> Any:
        if self.lines == 1:
            return st.text_input(self.label, self.default, max_chars=self.max_chars, **common)
        height = 30 + 26 * self.lines
        return st.text_area(self.label, self.default, max_chars=self.max_chars, height=height, **common)


def note(sentence: str) -> None:
    """Tell the visitor something about the link or input, above the page."""
    st.session_state.setdefault(_NOTES, []).append(sentence)


def take_notes() -> list[str]:
    """What was noted in this run; each is told once."""
    notes: list[str] = st.session_state.pop(_NOTES, [])
    return notes


def check_names(controls: Iterable[Control], *others: str) -> None:
    """Note and drop names in the URL that are neither these controls' nor ``others``."""
    known = {*(control.key for control in controls), *others}
    for name in [name for name in st.query_params if name not in known]:
        shown = name if len(name) <= 30 else name[:30] + "…"
        note(f"The link names “{shown}”, which this page does not know; it is ignored.")
        del st.query_params[name]
