"""Settings from rwrouter.toml, the command line and the environment; every problem reported at once."""

import copy
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from rwrouter.config.checks import findings
from rwrouter.config.lines import Path, key_lines
from rwrouter.config.model import Settings
from rwrouter.config.problems import Problem, explain, key_text
from rwrouter.errors import ConfigError

MONITOR_PASSWORD: Final = "RWROUTER_MONITOR_PASSWORD"  # noqa: S105 - the name of a variable
ADMIN_TOKEN: Final = "RWROUTER_ADMIN_TOKEN"  # noqa: S105 - the name of a variable

OPTIONS: Final[Mapping[Path, str]] = {  # settings that `rwrouter run` has an option for
    ("listen",): "--listen",
    ("servers",): "--server",
    ("monitor", "user"): "--monitor-user",
    ("admin",): "--admin",
    ("workers",): "--workers",
    ("discovery",): "--discovery",
    ("addresses",): "--address-map",
}

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class InvalidSettings(ConfigError):
    """What load() found: *problems* as values, and all of them as the message, a line each."""

    def __init__(self, file: FilePath | None, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.at(file) for problem in self.problems))


def load(
    path: FilePath | str | None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings in the file at *path* (None: only defaults), under *overrides* and *environ*.

    *overrides* is shaped like the file, and stands for the command line: what it names replaces what the file
    says, lists as a whole. The environment's passwords win over both. Raises InvalidSettings with every
    problem there is.
    """
    file = None if path is None else FilePath(path)
    environ = os.environ if environ is None else environ
    overrides = overrides or {}
    values, lines = ({}, {}) if file is None else _read(file)
    for key, value in overrides.items():
        values[key] = {**values[key], **value} if _both_tables(values.get(key), value) else value
    _add_secrets(values, environ)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as exc:
        found = [(error["loc"], explain(error)) for error in exc.errors(include_url=False)]
        found += _findings_beside(values, [where for where, _ in found], environ)
    else:
        found = list(findings(settings, environ))
    if found:
        problems = [_problem(where, message, lines, overrides) for where, message in found]
        raise InvalidSettings(file, sorted(problems, key=lambda problem: problem.line or 0))
    return _with_passwords(settings, environ)


def problems_in(path: FilePath | str) -> tuple[Problem, ...]:
    """Return what is wrong with the file at *path*; nothing if a router can start with it."""
    try:
        load(path)
    except InvalidSettings as exc:
        return exc.problems
    return ()


def _read(file: FilePath) -> tuple[dict[str, Any], dict[Path, int]]:
    """Return the values in *file*, and the lines where they stand. Raises InvalidSettings."""
    try:
        text = file.read_bytes().decode()
        return tomllib.loads(text), key_lines(text)
    except OSError as exc:
        problem = Problem(None, "", f"can't be read: {exc.strerror or exc}")
    except UnicodeDecodeError as exc:
        line = exc.object.count(b"\n", 0, exc.start) + 1
        problem = Problem(
            line, "", f"byte 0x{exc.object[exc.start]:02x} is not UTF-8: save the file as UTF-8"
        )
    except tomllib.TOMLDecodeError as exc:
        problem = _syntax_problem(str(exc), text)
    raise InvalidSettings(file, [problem])


def _syntax_problem(said: str, text: str) -> Problem:
    """Return tomllib's complaint with its line, and what is usually meant by such a line."""
    place = _PLACE.search(said)
    line = int(place[1]) if place and place[1] else len(text.rstrip("\n").split("\n"))
    said = said[: place.start()] if place else said
    hint = ""
    if said.startswith("Invalid value"):
        hint = ': texts stand in double quotes, as in name = "db1"'
    elif said.startswith("Expected '=' after a key"):
        hint = ": write key = value"
    elif said.startswith(("Cannot overwrite a value", "Cannot declare")):
        hint = ": it is there already"
    return Problem(line, "", f"is not TOML: {said[:1].lower()}{said[1:]}{hint}")


def _findings_beside(
    values: Mapping[str, Any], bad: Sequence[Path], environ: Mapping[str, str]
) -> list[tuple[Path, str]]:
    """Return what is wrong with *values* as a whole, had the *bad* ones been left out."""
    rest: Any = copy.deepcopy(values)
    for path in bad:
        table = rest
        for part in path[:-1]:
            table = table[part]
        if isinstance(table, dict):
            table.pop(path[-1], None)
    try:
        settings = Settings.model_validate(rest)
    except ValidationError:
        return []  # what is missing can't be left out: the rest is said when it is there
    return [(where, message) for where, message in findings(settings, environ) if where not in bad]


def _both_tables(one: object, other: object) -> bool:
    return isinstance(one, Mapping) and isinstance(other, Mapping)


def _add_secrets(values: dict[str, Any], environ: Mapping[str, str]) -> None:
    if MONITOR_PASSWORD in environ and isinstance(values.get("monitor", {}), Mapping):
        values["monitor"] = {**values.get("monitor", {}), "password": environ[MONITOR_PASSWORD]}
    if ADMIN_TOKEN in environ:
        values["admin_token"] = environ[ADMIN_TOKEN]


def _problem(where: Path, message: str, lines: Mapping[Path, int], overrides: Mapping[str, Any]) -> Problem:
    for path, option in OPTIONS.items():
        given: Any = overrides
        for part in path:
            given = given.get(part) if isinstance(given, Mapping) else None
        if given is not None and where[: len(path)] == path:
            return Problem(None, option, message)
    blamed = where
    while blamed and blamed not in lines:
        blamed = blamed[:-1]
    return Problem(lines.get(blamed), key_text(where), message)


def _with_passwords(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Put the passwords that users' password_env names where their passwords are looked for."""
    users = tuple(
        user.model_copy(update={"password": SecretStr(environ[user.password_env])})
        if user.password_env
        else user
        for user in settings.users
    )
    return settings.model_copy(update={"users": users})
