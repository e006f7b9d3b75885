"""`rwrouter explain`."""

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rwrouter.cli.explain import explain


def _lines(*lines: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(explain, ["--jsonl"], input="\n".join(lines) + "\n")
    assert result.exit_code == 0
    return [json.loads(line) for line in result.output.splitlines()]


def test_a_statement_is_explained_in_words() -> None:
    """Target, reason and digest, a line each."""
    result = CliRunner().invoke(explain, ["SELECT GET_LOCK('a', 1)"])
    assert result.exit_code == 0
    assert "primary" in result.output
    assert "takes a named lock" in result.output
    assert "pins:    named_lock" in result.output


def test_json_names_everything() -> None:
    """Every field is there, also where it is empty."""
    result = CliRunner().invoke(explain, ["--json", "/*rwrouter:primary*/ SELECT 1"])
    assert json.loads(result.output) == {
        "target": "primary",
        "reason": "a hint asks for the primary",
        "digest": "/*:primary*/ SELECT ?",
        "effects": [],
        "pins": [],
        "hint": {"target": "primary"},
    }


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ({"sql": "SELECT 1"}, "replica"),
        ({"sql_base64": base64.b64encode(b"SELECT '\xff'").decode()}, "replica"),
        ({"sql": "SELECT NEXT VALUE FOR s", "dialect": "mariadb"}, "primary"),
        ({"sql": r"SELECT 'a\'; DELETE FROM t; -- '"}, "replica"),
        (
            {
                "sql": r"SELECT 'a\'; DELETE FROM t; -- '",
                "sql_mode": "STRICT_ALL_TABLES,no_backslash_escapes",
            },
            "primary",
        ),
        ({"sql": 'SELECT "f"(1)', "sql_mode": "ANSI"}, "primary"),
        ({"sql": "SELECT 'é'", "charset": "gbk"}, "primary"),
        ({"sql": "SELECT 'é'", "charset": "utf8mb4"}, "replica"),
    ],
)
def test_each_line_is_read_in_its_own_mode(asked: dict[str, str], target: str) -> None:
    """Dialect, sql_mode and character set are the line's."""
    assert _lines(json.dumps(asked))[0]["target"] == target


@pytest.mark.parametrize(
    "line",
    ["nonsense", "[]", "{}", '{"sql": 5}', '{"sql_base64": "*"}', '{"sql": "SELECT 1", "dialect": "oracle"}'],
)
def test_a_bad_line_is_answered_and_the_next_is_read(line: str) -> None:
    """A bad line ends nothing."""
    bad, good = _lines(line, '{"sql": "SELECT 1"}')
    assert bad["error"]
    assert good["target"] == "replica"


def test_a_statement_is_needed() -> None:
    """Without one it says what is missing."""
    assert CliRunner().invoke(explain, []).exit_code == 2


def test_the_rule_that_decides_is_named(tmp_path: Path) -> None:
    """With the file, and who the session is."""
    file = tmp_path / "rwrouter.toml"
    file.write_text(
        '[[servers]]\naddress = "db1"\n[monitor]\nuser = "m"\n'
        '[[rules]]\nname = "stock"\nregex = "stock"\ntarget = "primary"\n'
        '[[rules]]\nname = "reports"\nuser = "report"\nconsistency = "eventual"\n'
    )
    arguments = ["SELECT a FROM stock", "--config", str(file), "--user", "report"]
    result = CliRunner().invoke(explain, arguments)
    assert 'reason:  the rule "stock" asks for the primary' in result.output
    assert "rule:    stock" in result.output
    assert 'consistency: eventual, by the rule "reports"' in result.output
    assert "consistency" not in CliRunner().invoke(explain, arguments[:3]).output
