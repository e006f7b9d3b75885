"""Problems as values. What each kind of mistake is told is in test_load.py."""

import pytest

from rwrouter.config.lines import Path
from rwrouter.config.problems import Problem, key_text, nearest, unknown_key


@pytest.mark.parametrize(
    ("problem", "file", "text"),
    [
        (Problem(3, "reads.wait", "is odd"), "a.toml", "a.toml:3: reads.wait: is odd"),
        (Problem(None, "monitor.user", "is missing"), "a.toml", "a.toml: monitor.user: is missing"),
        (Problem(None, "--listen", "is odd"), None, "--listen: is odd"),
        (Problem(7, "", "is not TOML"), "a.toml", "a.toml:7: is not TOML"),
    ],
)
def test_a_problem_starts_with_its_place(problem: Problem, file: str | None, text: str) -> None:
    """File, line and key stand first, as compilers have it, as far as they are known."""
    assert problem.at(file) == text


def test_keys_are_written_as_people_write_them() -> None:
    """Elements of lists are counted from 0."""
    assert key_text(("servers", 0, "weight")) == "servers[0].weight"


@pytest.mark.parametrize(
    ("word", "question"),
    [("lisen", 'did you mean "listen"?'), ("Max-Lag", 'did you mean "max_lag"?'), ("zzz", ""), (3, "")],
)
def test_nearest(word: object, question: str) -> None:
    """A slip of the finger, another case or a hyphen is understood; what is far from everything is not."""
    assert nearest(word, ["listen", "max_lag"]) == question


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("max_lagg",), "unknown key; the top level has "),
        (("max_lag",), "unknown key here; it belongs in [reads]"),
        (("reads", "workers"), "unknown key here; it belongs in the top of the file"),
        (("servers", 2, "ca"), "unknown key here; it belongs in [client_tls] or [server_tls]"),
        (("log", "colour"), "unknown key; [log] has level, format"),
    ],
)
def test_an_unknown_key_is_told_where_it_belongs(path: Path, message: str) -> None:
    """Near keys of the same table come first, then the same key in another table, then all there are."""
    assert unknown_key(path).startswith(message)
