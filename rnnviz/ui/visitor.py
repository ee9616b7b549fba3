"""Where a visitor sits."""

from __future__ import annotations

import streamlit as st


def at_the_machine() -> bool:
    """Whether the visitor sits at the machine itself, as far as a browser tells: then all runs are theirs.

    A proxy on the same machine that hands on neither the visitor's address nor the server's name looks the
    same; what is deleted can be had back.
    """
    passed_on = ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via")
    headers, here = st.context.headers, ("localhost", "127.0.0.1", "[::1]")
    named = str(headers.get("Host", "")).rsplit(":", 1)[0] in here
    return st.context.ip_address is None and named and not any(name in headers for name in passed_on)
