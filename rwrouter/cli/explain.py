"""`rwrouter explain`: where a statement would go, and why. Needs no running router."""

import base64
import binascii
import json
import sys
from collections.abc import Iterable
from typing import Any, Final

import click

from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.classifier import Classifier

# Character sets in which a trail byte can look like a quote or a backslash.
MULTIBYTE_UNSAFE: Final = frozenset({"big5", "cp932", "gb18030", "gbk", "sjis"})

_Key = tuple[Flavor, bool, bool, bool]


class Explainer:
    """Classifiers by dialect, sql_mode and character set, made when first asked for."""

    def __init__(self) -> None:
        self._classifiers: dict[_Key, Classifier] = {}

    def explain(
        self, sql: bytes, *, dialect: str = "mysql", sql_mode: str = "", charset: str = ""
    ) -> dict[str, Any]:
        """Return what is decided of *sql*, ready for JSON. Raises ValueError for an unknown dialect."""
        modes = {mode.strip().upper() for mode in sql_mode.split(",")}
        # ANSI, and MariaDB's modes named after other servers, are made of several modes.
        ansi = bool(modes & {"ANSI_QUOTES", "ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"})
        key = (
            Flavor(dialect),
            ansi,
            "NO_BACKSLASH_ESCAPES" in modes,
            charset.lower().partition("_")[0] in MULTIBYTE_UNSAFE,
        )
        classifier = self._classifiers.get(key)
        if classifier is None:
            flavor, ansi_quotes, no_backslash_escapes, multibyte_unsafe = key
            classifier = self._classifiers[key] = Classifier(
                flavor,
                ansi_quotes=ansi_quotes,
                no_backslash_escapes=no_backslash_escapes,
                multibyte_unsafe=multibyte_unsafe,
            )
        return plans.describe(classifier.plan(sql))


def explain_line(explainer: Explainer, line: str) -> dict[str, Any]:
    """Answer one line of `--jsonl`. A line that can't be read is answered with an `error`."""
    try:
        asked = json.loads(line)
        if not isinstance(asked, dict):
            return {"error": "a line must be a JSON object"}
        if isinstance(asked.get("sql_base64"), str):
            sql = base64.b64decode(asked["sql_base64"], validate=True)
        elif isinstance(asked.get("sql"), str):
            sql = asked["sql"].encode("utf-8", "surrogatepass")
        else:
            return {"error": 'neither "sql" nor "sql_base64" holds a text'}
        return explainer.explain(
            sql,
            dialect=str(asked.get("dialect") or "mysql").lower(),
            sql_mode=str(asked.get("sql_mode") or ""),
            charset=str(asked.get("charset") or ""),
        )
    except (ValueError, binascii.Error, RecursionError) as exc:
        return {"error": f"{type(exc).__name__}: {exc}"[:200]}


def explain_lines(lines: Iterable[str]) -> Iterable[str]:
    """Answer each of *lines* with one line of JSON. Blank lines are passed over."""
    explainer = Explainer()
    for line in lines:
        if line.strip():
            yield json.dumps(explain_line(explainer, line))


@click.command()
@click.argument("sql", required=False)
@click.option("--sql-mode", default="", help="The session's sql_mode, such as ANSI_QUOTES.")
@click.option("--dialect", type=click.Choice(["mysql", "mariadb"]), default="mysql", show_default=True)
@click.option("--charset", default="", help="The client's character set, such as gbk.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--jsonl", is_flag=True, help="Read a JSON object a line from standard input, answer each with one."
)
def explain(
    sql: str | None, sql_mode: str, dialect: str, charset: str, *, as_json: bool, jsonl: bool
) -> None:
    """Say where the statement SQL would go, and why.

    With --jsonl each line of standard input holds {"sql": ...} or {"sql_base64": ...}, and may hold sql_mode,
    dialect and charset.
    """
    if jsonl:
        source = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
        for answer in explain_lines(source):
            click.echo(answer)
        return
    if sql is None:
        raise click.UsageError("give a statement, or --jsonl")
    text = sql.encode("utf-8", "surrogateescape")
    found = Explainer().explain(text, dialect=dialect, sql_mode=sql_mode, charset=charset)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        if isinstance(value, dict):
            shown = ", ".join(f"{key}={item}" for key, item in value.items())
        if shown:
            click.echo(f"{name + ':':9}{_printable(str(shown))}")


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
