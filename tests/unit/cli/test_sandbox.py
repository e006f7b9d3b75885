"""`rwrouter sandbox up`: its words, without servers."""

import click
import pytest
from click.testing import CliRunner

from rwrouter.cli.sandbox import read_options, sandbox


def test_options_are_names_and_values() -> None:
    """Dashes and underscores are the same in a name; a value may have an equals sign in it."""
    assert read_options(("max-connections=7", "--sql_mode=A=B")) == {
        "max_connections": "7",
        "sql_mode": "A=B",
    }
    with pytest.raises(click.BadParameter, match="'nonsense' is not NAME=VALUE"):
        read_options(("nonsense",))


def test_without_a_server_program_it_says_what_to_install() -> None:
    """Exit status 1, and a sentence that names packages; no traceback."""
    result = CliRunner().invoke(sandbox, ["up", "--binary", "/nonexistent/mysqld"])
    assert result.exit_code == 1
    assert "no mysqld or mariadbd found on this machine" in result.output
    assert "mariadb-server" in result.output


@pytest.mark.parametrize(
    "arguments", [["--replicas", "-1"], ["--flavor", "oracle"], ["--root", "/nonexistent"]]
)
def test_wrong_words_are_wrong_usage(arguments: list[str]) -> None:
    """Exit status 2."""
    assert CliRunner().invoke(sandbox, ["up", *arguments]).exit_code == 2
