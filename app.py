"""Page set-up, notices, navigation; nothing else.

python -m streamlit run app.py
"""

from pathlib import Path

import streamlit as st

from covidct.ui import access, diagnose, evaluation, frame, training, uploads, use_notice

ICON = Path(__file__).parent / "covidct" / "ui" / "assets" / "icon.png"

st.set_page_config(page_title="covidct", page_icon=str(ICON), layout="wide")
uploads.keep_in_memory()
frame.show()
access.require_login()
page = st.navigation(
    [
        st.Page(diagnose.page, title="Diagnose", url_path="diagnose", default=True),
        st.Page(evaluation.page, title="Evaluation", url_path="evaluation"),
        st.Page(training.page, title="Training", url_path="training"),
    ],
    position="top",
)
use_notice.require()
page.run()
