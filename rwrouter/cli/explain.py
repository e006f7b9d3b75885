"""`rwrouter explain`: where a statement would go, and why. Needs no running router."""

import base64
import binascii
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click

from rwrouter.config.load import InvalidSettings, load
from rwrouter.model import Flavor
from rwrouter.routing.rules import Rule, RuleBook, RuledPlans, wishes
from rwrouter.routing.terms import combine
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
        self,
        sql: bytes,
        *,
        dialect: str = "mysql",
        sql_mode: str = "",
        charset: str = "",
        rules: tuple[Rule, ...] = (),
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
        planner = RuledPlans(classifier.plan, [rule for rule in rules if rule.is_of_statements])
        found = plans.describe(planner.plan(sql))
        terms = combine(wishes(rules), "")
        if terms.consistency:
            found["consistency"] = f"{terms.consistency}, by {terms.consistency_by}"
        if terms.max_lag is not None:
            found["max_lag"] = f"{terms.max_lag:g} s, by {terms.max_lag_by}"
        return found


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
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Apply the rules of FILE, and say which has decided.",
)
@click.option("--user", default="", help="The session's user, for rules.")
@click.option("--database", default="", help="The session's current schema, for rules.")
@click.option("--client", default="", metavar="ADDRESS", help="The client's address, for rules.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--jsonl", is_flag=True, help="Read a JSON object a line from standard input, answer each with one."
)
def explain(
    sql: str | None,
    sql_mode: str,
    dialect: str,
    charset: str,
    *,
    config: Path | None,
    user: str,
    database: str,
    client: str,
    as_json: bool,
    jsonl: bool,
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
    rules = _rules(config, user, database, client)
    found = Explainer().explain(text, dialect=dialect, sql_mode=sql_mode, charset=charset, rules=rules)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        if isinstance(value, dict):
            shown = ", ".join(f"{key}={item}" for key, item in value.items())
        if shown:
            click.echo(f"{name + ':':{9 if len(name) < 9 else 13}}{_printable(str(shown))}")


def _rules(config: Path | None, user: str, database: str, client: str) -> tuple[Rule, ...]:
    if config is None:
        return ()
    try:
        settings = load(config)
    except InvalidSettings as exc:
        raise click.ClickException(str(exc)) from None
    return RuleBook.of(settings.rules).of_session(user, database, client)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
