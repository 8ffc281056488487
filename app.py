"""The app as it is served: python -m streamlit run app.py."""

import streamlit as st

from covidct.ui.guard import SCRIPT, guards

app = st.App(SCRIPT, middleware=guards())
