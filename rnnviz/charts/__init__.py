"""Records in, figures out. No Streamlit here."""
