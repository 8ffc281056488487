"""Tabs without a browser, and the app for them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import app_server
import pytest

from covidct.benchmark.visitor import Visitor, open_tab


@pytest.fixture(scope="session")
def serve() -> Callable:
    """The app in a process of its own, as for the tests with a browser."""
    return app_server.serve


@pytest.fixture
def visit() -> Iterator[Callable[[str], Visitor]]:
    """Opens tabs past the notice, which are closed at the end."""
    with ExitStack() as tabs:
        yield lambda url: tabs.enter_context(open_tab(url)).accept_notice()
