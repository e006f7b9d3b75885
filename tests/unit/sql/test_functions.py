"""Functions."""

from rwrouter.sql import functions, words


def test_no_function_is_both_safe_and_special() -> None:
    """A function with an effect is on no list of those that read."""
    for reads in functions.READS.values():
        assert not reads & functions.SPECIAL.keys()
    assert not words.BEFORE_PARENTHESIS & functions.SPECIAL.keys()


def test_what_needs_its_parenthesis_at_once_is_a_function() -> None:
    """Each name that IGNORE_SPACE speaks of is a function that reads."""
    for flavor, reads in functions.READS.items():
        missing = words.NO_BLANK_BEFORE_PARENTHESIS[flavor] - reads
        assert missing <= {"st_collect"}, missing
