"""Controls whose name is their key in the URL, and whose limits hold for links as for widgets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

_NOTES = "_notes"
_RESETS = "_resets"  # keys of controls that go back to their default in the next run
_SETS = "_sets"  # key -> what a control is to hold from the next run on
_OURS = "_ours"  # whether the control being drawn was just set by us: it may then be given no default


@dataclass(frozen=True)
class Control(ABC):
    """One widget, bound to the URL.

    Attributes:
        key: its name in the URL, unique in the app.
        label: what it says.
        default: left out of the URL.
        help: shown on hover.
        reason: why no more is allowed, said where a link asks for it.
    """

    key: str
    label: str
    default: Any
    help: str | None = None
    reason: str = field(default="", kw_only=True)

    def draw(self, **limits: Any) -> Any:
        """Show the widget and return its value; note what a link asked for and could not have.

        Args:
            **limits: fields to replace for this once, such as ``high`` where it depends on another control.
        """
        control = self if not limits else type(self)(**{**self.__dict__, **limits})
        refused = None if self.key in st.session_state else control.refused_link()
        resets = st.session_state.setdefault(_RESETS, set())
        sets = st.session_state.setdefault(_SETS, {})
        st.session_state[_OURS] = self.key in resets or self.key in sets
        if self.key in sets:
            st.session_state[self.key] = sets.pop(self.key)
        if self.key in resets:
            resets.discard(self.key)
            st.session_state[self.key] = control.fallback
        value = control._widget(help=control.help, key=control.key, bind="query-params")
        if refused:
            shown = control.said(value) if control.fallback is None else "the default"
            note(f"{refused} Shown is {shown}.")
            # Streamlit makes something else of some, a whole number of a fraction; `check_link` runs again.
            if control.fallback is not None and st.session_state.get(self.key) != control.fallback:
                resets.add(self.key)
        return value

    @property
    def fallback(self) -> Any:
        """What stands in for a value that nobody can have; None where Streamlit keeps the part that fits."""
        return self.default

    def refused_link(self) -> str | None:
        """What is wrong with what the link says of this control, None if nothing is."""
        given = st.query_params.get_all(self.key)
        if len(given) > 1:
            return f"{self.label} stands {len(given)} times in the link ({self.key}); allowed: once."
        return self.problem(given[0]) if given else None

    @abstractmethod
    def problem(self, raw: str) -> str | None:
        """What is wrong with a value from a link, in one sentence; None if it is good."""

    def said(self, value: Any) -> str:
        """A value as the visitor sees it."""
        return str(value)

    @abstractmethod
    def _widget(self, **common: Any) -> Any:
        """Draw it and return its value."""

    def _refusal(self, raw: str, allowed: str) -> str:
        shown = raw if len(raw) <= 30 else raw[:30] + "…"
        return f"{self.label} in the link ({self.key}) is “{shown}”; allowed: {allowed}{self._why}."

    @property
    def _why(self) -> str:
        return f", {self.reason}" if self.reason else ""


@dataclass(frozen=True)
class Choice(Control):
    """One of a few; ``options`` maps what is shown, also in the URL, to what is meant.

    More than three fold into a menu, but in a ``row``: as the tabs of a page.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    row: bool = field(default=False, kw_only=True)

    def problem(self, raw: str) -> str | None:
        """As in `Control`."""
        return None if raw in self.options else self._refusal(raw, ", ".join(self.options))

    def said(self, value: Any) -> str:
        """As in `Control`."""
        return next(name for name, meant in self.options.items() if meant == value)

    def _widget(self, **common: Any) -> Any:
        names = list(self.options)
        if self.row or len(names) <= 3:
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

    @property
    def fallback(self) -> Any:
        """The default, within limits that may have moved."""
        return min(max(self.default, self.low), self.high)

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
            return self._refusal(raw, f"whole numbers from {allowed}")
        return None

    def _widget(self, **common: Any) -> Any:
        if self.low == self.high:  # nothing to slide
            st.markdown(f"{self.label}: {self.low:g}")
            return self.low
        default: float | None = None if set_by_us() else self.fallback
        held = st.session_state.get(self.key)
        if held is not None and not self.low <= held <= self.high:
            # A limit that moved takes the value along, where Streamlit would go back to the default.
            st.session_state[self.key] = min(max(held, self.low), self.high)
            default = None
        return st.slider(self.label, self.low, self.high, default, self.step, **common)


@dataclass(frozen=True)
class Fold(Control):
    """A part of the page that is open or closed; its value is the container, with ``open``."""

    icon: str = ""

    def problem(self, raw: str) -> str | None:
        """As in `Control`."""
        return None if raw in ("true", "false") else self._refusal(raw, "true, false")

    @property
    def fallback(self) -> None:
        """None: Streamlit leaves it closed."""

    def said(self, value: Any) -> str:
        """As in `Control`."""
        return "open" if value.open else "closed"

    def _widget(self, help: str | None = None, **common: Any) -> Any:
        return st.expander(self.label, icon=self.icon, on_change="rerun", **common)


@dataclass(frozen=True)
class Switch(Control):
    """On or off; a link may say 1."""

    def problem(self, raw: str) -> str | None:
        """As in `Control`."""
        return None if raw in ("1", "0", "true", "false") else self._refusal(raw, "1, 0")

    def said(self, value: Any) -> str:
        """As in `Control`."""
        return "on" if value else "off"

    def _widget(self, **common: Any) -> Any:
        # Not bound: a link says 1, where Streamlit's own would say true. Its value outlives a page's widgets.
        key, kept = self.key, f"_{self.key}_kept"
        if key not in st.session_state:
            given = st.query_params.get(key)
            st.session_state[key] = given in ("1", "true") if given else st.session_state.get(kept, False)
        else:
            st.session_state[key] = st.session_state[key]  # now ours, and not dropped with the last page
        on = st.toggle(self.label, key=key, help=common["help"])
        st.session_state[kept] = on
        if on and st.query_params.get(key) != "1":
            st.query_params[key] = "1"
        elif not on:
            st.query_params.pop(key, None)
        return on


@dataclass(frozen=True)
class Text(Control):
    """A line or, with ``lines``, an area of text of at most ``max_chars`` characters."""

    max_chars: int = 400
    lines: int = 1

    def problem(self, raw: str) -> str | None:
        """As in `Control`."""
        if len(raw) <= self.max_chars:
            return None
        return f"{self.label} in the link ({self.key}) has {len(raw)} characters; allowed: {self.max_chars}."

    @property
    def fallback(self) -> None:
        """None: what fits is kept."""

    def said(self, value: Any) -> str:
        """As in `Control`."""
        return f"the first {len(value)}"

    def _widget(self, **common: Any) -> Any:
        if self.lines == 1:
            return st.text_input(self.label, self.default, max_chars=self.max_chars, **common)
        height = 30 + 26 * self.lines
        return st.text_area(self.label, self.default, max_chars=self.max_chars, height=height, **common)


def set_by_us() -> bool:
    """Whether the control that is being drawn was just set: Streamlit complains of a default beside that."""
    return bool(st.session_state.get(_OURS))


def set_to(control: Control, value: Any) -> None:
    """Let a control hold a value, as its widget has it, from the next run on; for callbacks."""
    st.session_state.setdefault(_SETS, {})[control.key] = value


def reset(control: Control) -> None:
    """Let a control go back to its default in the run that `check_link` then asks for.

    Not in this one: a widget whose limits have just changed takes its value from the link.
    """
    st.session_state.setdefault(_RESETS, set()).add(control.key)


def note(sentence: str) -> None:
    """Tell the visitor something about the link or input, above the page."""
    st.session_state.setdefault(_NOTES, []).append(sentence)


def take_notes() -> list[str]:
    """What was noted in this run; each is told once, and not in a run that is about to be repeated."""
    if st.session_state.get(_RESETS):
        return []
    return list(dict.fromkeys(st.session_state.pop(_NOTES, [])))


def check_link(controls: Iterable[Control], later: Iterable[Control] = ()) -> None:
    """When all is drawn: note and drop what the link still says, and run again where a control must go back.

    A drawn widget cannot be changed in the same run. What the link says of the controls that come ``later``
    waits for them.
    """
    known = {control.key: control for control in controls}
    waiting = {control.key for control in later}
    for name in [name for name in st.query_params if name not in st.session_state]:
        if name in waiting:
            continue
        if name not in known:
            shown = name if len(name) <= 30 else name[:30] + "…"
            refused: str | None = f"The link names “{shown}”, which this page does not know."
        else:
            refused = known[name].refused_link()
        if refused:
            note(f"{refused} It is ignored.")
            del st.query_params[name]
    st.session_state.pop(_SETS, None)  # of controls that were not drawn
    if st.session_state.get(_RESETS):
        st.rerun()
