"""Log lines."""

import json
import logging

import pytest

from rwrouter.config.model import LogSettings
from rwrouter.process import logs


def test_json_lines_have_the_events_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of key=value words is an object with these keys."""
    logs.configure(LogSettings(format="json"))
    logging.getLogger("rwrouter.x").warning('event=down server=%s reason="%s"', "db2", "it was slow")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "down"
    assert line["reason"] == "it was slow"
    assert line["level"] == "warning"
    logs.configure(LogSettings())
    logging.getLogger("rwrouter").handlers.clear()
