"""The app as it is served: python -m streamlit run app.py."""

from covidct.ui.main import main

main()
