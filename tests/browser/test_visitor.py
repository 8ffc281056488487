import re

from covidct.ui.visitor import visit


def test_who_visits_without_a_browser_sees_page_and_verdict(server, slices):
    with visit(server.url) as session:
        assert "cv-lead" in session.html
        session.upload("a <b>slice</b>.png", slices[0].read_bytes())
        assert re.search(r"Positive|Negative", session.html)
        assert "a &lt;b&gt;slice&lt;/b&gt;.png" in session.html
