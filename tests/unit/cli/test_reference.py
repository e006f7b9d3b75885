"""The reference of commands. That docs/cli.md is fresh is tested in tests/test_docs.py."""

from rwrouter.cli.reference import reference


def test_every_option_of_run_is_there_with_its_argument() -> None:
    """Commands of commands are there too, and no line is cut to a terminal's width."""
    page = reference()
    for option in ("--config FILE", "--listen HOST:PORT", "--server HOST:PORT", "--monitor-user USER"):
        assert f"| `{option}` |" in page
    assert "| `--workers N\\|auto` |" in page
    assert "## rwrouter sandbox up" in page
