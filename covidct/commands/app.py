"""The command that starts the pages."""

from __future__ import annotations

import argparse
import os
import sys

from covidct.home import HOME_VARIABLE, PACKAGE, SHIPPED, home


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
    script = str(PACKAGE / "ui" / "main.py")
    arguments = ["-m", "streamlit", "run", script, *options.streamlit_options]
    os.execv(sys.executable, [sys.executable, *arguments])
