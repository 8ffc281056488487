"""The app as it is served: python -m streamlit run app.py."""

import sys

import streamlit as st

from covidct.ui.guard import SCRIPT, guards
from covidct.ui.interface import interface
from covidct.ui.lifespan import lifespan

# Seconds after which Python lets another thread run. A verdict hands over dozens of times, and
# would wait as often for whoever sorts files or makes a report.
sys.setswitchinterval(0.0005)

app = st.App(SCRIPT, routes=interface(), middleware=guards(), lifespan=lifespan)
