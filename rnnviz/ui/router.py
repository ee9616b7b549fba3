"""What Streamlit runs: the frame around every page."""

import streamlit as st

from rnnviz.ui import layout, warm
from rnnviz.ui.pages import HOME, PAGES

layout.frame()
page = st.navigation(
    [st.Page(p.file, title=p.title, icon=p.icon, url_path=p.url, default=p is HOME) for p in PAGES],
    position="top",
)
notes = st.empty()
try:
    page.run()
finally:
    layout.show_notes(notes)
    warm.painted()
