from hypothesis import given
from hypothesis import strategies as st

from covidct.spreadsheets import harmless, original

texts = st.text() | st.text("=+-@\t\r'", min_size=1, max_size=3)


@given(texts)
def test_no_text_begins_as_formulas_do(text):
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(texts)
def test_every_text_comes_back_as_it_was(text):
    assert original(harmless(text)) == text
