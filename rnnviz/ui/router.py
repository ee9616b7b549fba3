"""What Streamlit runs: the frame around every page."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from rnnviz.ui import layout, warm
from rnnviz.ui.pages import HOME, PAGES

layout.frame()
menu: dict[str, list[StreamlitPage]] = {}
for p in PAGES:
    entry = st.Page(p.file, title=p.title, icon=p.icon, url_path=p.url, default=p is HOME)
    menu.setdefault(p.group, []).append(entry)
page = st.navigation(menu, position="top")
notes = st.empty()
try:
    page.run()
finally:
    layout.show_notes(notes)
    warm.painted()
