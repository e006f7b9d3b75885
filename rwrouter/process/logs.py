"""Log lines: one an event, to standard error, as text or as JSON."""

import json
import logging
import re
import sys
from typing import Final

from rwrouter.config.model import LogSettings

_PAIR: Final = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')


class JsonFormatter(logging.Formatter):
    """A line of `key=value` words as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as JSON."""
        message = record.getMessage()
        fields = {key: value.strip('"') for key, value in _PAIR.findall(message)}
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            **(fields or {"message": message}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(settings: LogSettings) -> None:
    """Set the log of this process up."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s[%(process)d] %(message)s"))
    root = logging.getLogger("rwrouter")
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    root.propagate = False
