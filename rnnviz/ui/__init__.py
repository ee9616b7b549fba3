"""The Streamlit side: state, layout and cached engine calls. Only app.py and pages/ import it."""
