"""Words."""

from rwrouter.sql import words


def test_words_are_lower_case_and_serve_one_end() -> None:
    """What the lists are compared with is in lower case; syntax before a parenthesis is not a write."""
    lists = [words.KEYWORDS, words.NOT_IN_READS, words.SUSPICIOUS, words.BEFORE_PARENTHESIS]
    assert all(word == word.lower() for each in lists for word in each)
    assert not words.BEFORE_PARENTHESIS & words.NOT_IN_READS
