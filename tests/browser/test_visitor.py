import re

from covidct.benchmark.visitor import open_tab


def pictures_of(tab):
    return [one.imgs[0].url for one in tab.elements("imgs")]


def test_who_visits_without_a_browser_sees_page_and_verdict(server, slices):
    with open_tab(server.url) as tab:
        assert not tab.elements("file_uploader")
        tab.accept_notice()
        assert "cv-lead" in tab.html()
        for _ in tab.drop("a <b>slice</b>.png", slices[0].read_bytes()):
            pass
        assert re.search(r"Positive|Negative", tab.html())
        assert "a &lt;b&gt;slice&lt;/b&gt;.png" in tab.html()
        pictures = pictures_of(tab)
        tab.slide("Opacity", 90)
        assert "a &lt;b&gt;slice&lt;/b&gt;.png" in tab.html()
        slice_, overlay = pictures_of(tab)
        assert slice_ == pictures[0] and overlay != pictures[1]
