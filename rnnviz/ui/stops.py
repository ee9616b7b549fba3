"""Controls over a list: a slider with stops, and several of a few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from rnnviz.ui.held import Held
from rnnviz.ui.state import Control, Text, set_by_us


@dataclass(frozen=True)
class Stops(Control):
    """A slider that stops at given values; ``options`` maps what is shown, also in the URL, to the meant."""

    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fallback(self) -> Any:
        """The default, or the last stop where it is none of them."""
        return self.default if self.default in self.options else list(self.options)[-1]

    def problem(self, raw: str) -> str | None:
        """As in `Control`."""
        return None if raw in self.options else self._refusal(raw, ", ".join(self.options))

    def said(self, value: Any) -> str:
        """As in `Control`."""
        return next(name for name, meant in self.options.items() if meant == value)

    def _widget(self, **common: Any) -> Any:
        names = list(self.options)
        if len(names) == 1:  # nothing to slide
            st.markdown(f"{self.label}: {names[0]}")
            return self.options[names[0]]
        default: Any = {} if set_by_us() else {"value": self.fallback}
        if st.session_state.get(self.key, self.fallback) not in names:
            st.session_state[self.key] = self.fallback
            default = {}
        name = st.select_slider(self.label, names, **default, **common)
        return self.options[name]


@dataclass(frozen=True)
class Several(Control):
    """Some of a few, or none; the URL names each."""

    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fallback(self) -> Any:
        """The default, a list of names."""
        return list(self.default)

    def refused_link(self) -> str | None:
        """As in `Control`, of each value."""
        given = st.query_params.get_all(self.key)
        return next(filter(None, map(self.problem, given)), None)

    def problem(self, raw: str) -> str | None:
        """As in `Control`."""
        return None if raw in self.options else self._refusal(raw, ", ".join(self.options))

    def said(self, value: Any) -> str:
        """As in `Control`."""
        return ", ".join(name for name, meant in self.options.items() if meant in value)

    def _widget(self, **common: Any) -> Any:
        names = list(self.options)
        chosen = st.segmented_control(
            self.label, names, default=self.fallback, selection_mode="multi", **common
        )
        return tuple(self.options[name] for name in names if name in chosen)


@dataclass(frozen=True)
class HeldText(Held, Text):
    """A short text that the page itself holds in the link."""

    @property
    def fallback(self) -> str:  # type: ignore[override] # a text of Streamlit's own keeps the part that fits
        """The default."""
        return str(self.default)

    def takes(self, value: Any) -> bool:
        """As in `Held`."""
        return isinstance(value, str) and self.problem(value) is None

    def meant(self, raw: str) -> str:
        """As in `Held`."""
        return raw

    def said(self, value: Any) -> str:
        """As in `Control`."""
        return str(value)
