"""Pages under Streamlit's AppTest: what is drawn on them, and the Training page alone."""

from streamlit.testing.v1 import AppTest


def training_page() -> None:
    """For AppTest.from_function."""
    from covidct.ui.training.page import page

    page()


def html(app: AppTest) -> str:
    """All that is drawn as HTML."""
    return "\n".join(element.value for element in app.get("html"))


def button(app: AppTest, label: str):
    """The button of this label."""
    return next(b for b in app.button if b.label == label)


def show(app: AppTest, view: str) -> AppTest:
    """Turn to a view of the page."""
    app.session_state["view"] = view
    app.run()
    assert not app.exception
    return app
