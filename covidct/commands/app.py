"""The command that starts the pages."""

from __future__ import annotations

import argparse
import os
import sys

from covidct.home import HOME_VARIABLE, SHIPPED, home


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add it to the command line."""
    parser = commands.add_parser(
        "app",
        help="start the pages, for this machine's browser",
        epilog="Further options are Streamlit's own, such as --server.port N.",
    )
    parser.set_defaults(run=_app, streamlit_options=[])


def _app(options: argparse.Namespace) -> int:
    """Become Streamlit, in the folder whose .streamlit/config.toml makes the server safe."""
    os.environ[HOME_VARIABLE] = str(home())
    os.chdir(SHIPPED)
    arguments = ["-m", "streamlit", "run", "app.py", *options.streamlit_options]
    os.execv(sys.executable, [sys.executable, *arguments])
