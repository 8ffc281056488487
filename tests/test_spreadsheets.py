import csv
from io import StringIO

from hypothesis import given
from hypothesis import strategies as st

from covidct.spreadsheets import harmless, original, read_table, write_table

texts = st.text() | st.text("=+-@\t\r'", min_size=1, max_size=3)


@given(texts)
def test_no_text_begins_as_formulas_do(text):
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(texts)
def test_every_text_comes_back_as_it_was(text):
    assert original(harmless(text)) == text


@given(texts.filter(lambda text: "\0" not in text), st.floats(-9, -1))
def test_a_table_is_quoted_throughout_and_read_as_it_was_written(text, number):
    file = StringIO(newline="")
    write_table(file, ["text", "number"], [(text, number)])
    seen = csv.DictReader(StringIO(file.getvalue(), newline=""), quoting=csv.QUOTE_NONNUMERIC)
    (stored,) = seen  # which takes for a number whatever is not quoted
    assert stored == {"text": harmless(text), "number": str(number)}
    (row,) = read_table(StringIO(file.getvalue(), newline=""))
    assert row == {"text": text, "number": str(number)}
