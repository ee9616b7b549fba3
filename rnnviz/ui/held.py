"""Controls whose widget is part of a component in the browser."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import streamlit as st

from rnnviz.ui.state import Choice, Control, Number


class Held(Control):
    """A control whose widget is part of a component in the browser, which reports what it holds.

    Its value lives in the session under its key, and `draw` brings the link in line with it.
    """

    def report(self, value: Any) -> None:
        """Take over what the component says; what cannot be is not taken."""
        if self.takes(value):
            st.session_state[self.key] = self.meant(self.said(value))

    @abstractmethod
    def takes(self, value: Any) -> bool:
        """Whether the control can have this value, whatever it is."""

    @abstractmethod
    def meant(self, raw: str) -> Any:
        """The value that a good text from a link stands for."""

    def _widget(self, **_: Any) -> Any:
        key = self.key
        written, all_given = f"_{key}_written", st.query_params.get_all(key)
        given = all_given[0] if len(all_given) == 1 else None
        if given is not None and given != st.session_state.get(written) and self.problem(given) is None:
            st.session_state[key] = self.meant(given)
        value = st.session_state.get(key, self.fallback)
        if self.problem(self.said(value)) is not None:  # a limit that moved
            value = self.nearest(value)
        st.session_state[key] = value
        said = self.said(value)
        if value == self.fallback:
            if all_given:
                del st.query_params[key]
        elif given != said:
            st.query_params[key] = said
        st.session_state[written] = said
        return value

    def nearest(self, value: Any) -> Any:
        """What stands in for a value that the limits no longer allow."""
        return self.fallback


@dataclass(frozen=True)
class HeldNumber(Held, Number):
    """A whole number that a component holds."""

    def takes(self, value: Any) -> bool:
        """As in `Held`."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.problem(str(value)) is None

    def meant(self, raw: str) -> int:
        """As in `Held`."""
        return int(float(raw))

    def nearest(self, value: Any) -> Any:
        """As in `Held`."""
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class HeldChoice(Held, Choice):
    """One of a few that a component holds."""

    def takes(self, value: Any) -> bool:
        """As in `Held`."""
        return any(type(value) is type(meant) and value == meant for meant in self.options.values())

    def meant(self, raw: str) -> Any:
        """As in `Held`."""
        return self.options[raw]

    @property
    def fallback(self) -> Any:
        """The meaning of the default."""
        return self.options[self.default]

    def problem(self, raw: str) -> str | None:
        """As in `Control`."""
        return Choice.problem(self, raw)
