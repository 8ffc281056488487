"""The log as JSON, an object a line, for machines that read it: COVIDCT_LOG=json.

It names neither files nor people. Of an error it tells the kind and the place in the program; its
message is left out, since it may quote what was read.
"""

import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime

VARIABLE = "COVIDCT_LOG"


class JsonLines(logging.Formatter):
    """A record as one line: time, level, logger, message, and figures where it has some."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "figures", {}),
        }
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            line["at"] = [
                f"{frame.filename}:{frame.lineno}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
        return json.dumps(line)


def are_json() -> bool:
    """Whether the environment asks for JSON."""
    return os.environ.get(VARIABLE, "").strip().lower() == "json"


def write_json() -> None:
    """Let what is logged from now on be JSON on standard error, and what covidct does be told.

    A logger that writes nothing, as uvicorn's of addresses, goes on to do so.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("covidct").setLevel(logging.INFO)
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        if logger.handlers:
            logger.handlers.clear()
            logger.propagate = True
