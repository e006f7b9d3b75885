"""Functions."""

from rwrouter.sql import functions, words


def test_no_function_is_both_safe_and_special() -> None:
    """A function with an effect is on no list of those that read."""
    assert not functions.READS & functions.SPECIAL.keys()
    assert not words.BEFORE_PARENTHESIS & functions.SPECIAL.keys()


def test_what_needs_its_parenthesis_at_once_is_a_function() -> None:
    """Each name that IGNORE_SPACE speaks of is a function that reads."""
    assert words.NO_BLANK_BEFORE_PARENTHESIS <= functions.READS
