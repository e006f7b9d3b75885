"""Durations and sizes."""

import pytest

from rwrouter.config.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("2s", 2.0), ("1.5", 1.5), ("1m", 60.0), (" 2 h ", 7200.0), (3, 3), (0.25, 0.25)],
)
def test_durations(text: object, seconds: float) -> None:
    """A duration is read in seconds; a number is left as it is."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "size"), [("64K", 65536), ("1MiB", 1 << 20), ("7", 7), (9, 9)])
def test_sizes(text: object, size: int) -> None:
    """A size is read in bytes."""
    assert parse_size(text) == size


@pytest.mark.parametrize("parse", [parse_duration, parse_size])
def test_what_is_neither_is_refused_with_examples(parse: object) -> None:
    """The error says what to write."""
    with pytest.raises(ValueError, match="write"):
        parse("soon")  # type: ignore[operator]
