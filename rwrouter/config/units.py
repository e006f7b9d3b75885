"""Durations and sizes as people write them: "500ms", "64K"."""

import re
from typing import Final

_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(us|ms|s|m|h|d)?\s*")
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE: Final = re.compile(r"\s*(\d+)\s*([KMG])?(?:i?B)?\s*", re.IGNORECASE)
_BYTES: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_duration(value: object) -> object:
    """Return *value* in float seconds if it is a duration's text, else unchanged. Raises ValueError."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError(f'"{value}" is no duration: write seconds as a number, or "500ms", "2s", "1m", "1h"')
    return float(match[1]) * _SECONDS[match[2] or "s"]


def parse_size(value: object) -> object:
    """Return *value* in bytes if it is a size's text, else unchanged. Raises ValueError."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError(f'"{value}" is no size: write bytes as a number, or "64K", "1M", "1G"')
    return int(match[1]) * _BYTES.get((match[2] or "").upper(), 1)
