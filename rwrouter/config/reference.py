"""docs/configuration.md, written from the settings themselves: python -m rwrouter.config.reference."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from rwrouter.config.load import ADMIN_TOKEN, MONITOR_PASSWORD, OPTIONS
from rwrouter.config.model import Settings
from rwrouter.config.units import parse_duration, parse_size

HEAD: Final = f"""\
# Configuration

`rwrouter run --config rwrouter.toml` reads [TOML](https://toml.io). Every setting has a default but the servers and
the monitor's account; options of the command line win over the file ([rwrouter.toml](rwrouter.toml) is an example).
`rwrouter check rwrouter.toml` tells every problem with its line, and starts nothing.

- Durations are seconds (`1.5`) or have a unit: `"500ms"`, `"2s"`, `"1m"`, `"1h"`. Sizes are bytes or `"64K"`, `"1M"`.
- An address is `"HOST:PORT"`, with IPv6 in brackets: `"[::1]:3306"`. A listener can be `"unix:PATH"`; its port can be
  `0`, which is any free one.
- Passwords are best kept out of the file: `{MONITOR_PASSWORD}` and `{ADMIN_TOKEN}` in the environment
  win over it, and a user's `password_env` names a variable. None is ever printed.
- Names of files are relative to the directory where rwrouter is started.

<!-- Written by `make docs` from rwrouter/config/model.py: change the descriptions there. -->
"""


def reference() -> str:
    """Return the page as Markdown."""
    return HEAD + "\n" + "\n".join(_tables()) + "\n"


def _tables() -> Iterator[str]:
    plain = {name: field for name, field in Settings.model_fields.items() if _section(field) is None}
    yield "## Top of the file\n"
    yield from _rows((), plain)
    for name, field in Settings.model_fields.items():
        section = _section(field)
        if section is not None:
            header = f"[[{name}]]" if get_origin(field.annotation) is tuple else f"[{name}]"
            yield f"\n## `{header}`\n"
            doc = (section.__doc__ or "").strip().splitlines()[0]
            yield f"{doc}{' One table for each.' if header.startswith('[[') else ''}\n"
            yield from _rows((name,), section.model_fields)


def _rows(table: tuple[str, ...], fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield "| Setting | Takes | Default | Meaning |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        option = OPTIONS.get((*table, name))
        also = f"; `{option}`" if option else ""
        yield f"| `{name}` | {_takes(name, field)} | {_default(field)} | {field.description or ''}{also} |"


def _takes(name: str, field: FieldInfo) -> str:
    """Return what may be written, in words."""
    if name == "workers":
        return 'a number, `"auto"`'
    kind: Any = field.annotation
    choices = [part for part in get_args(kind) if part is not NoneType] or [kind]
    metadata = list(field.metadata)
    if get_origin(kind) is not tuple and len(choices) == 1:
        kind = choices[0]
        metadata += getattr(kind, "__metadata__", ())  # Duration | None keeps its own
    if get_origin(kind) is Literal or any(get_origin(part) is Literal for part in choices):
        literals = get_args(kind) if get_origin(kind) is Literal else get_args(choices[0])
        return ", ".join(f'`"{word}"`' for word in literals)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(f'`"{word}"`' for word in kind)
    parsers = [part.func for part in metadata if isinstance(part, BeforeValidator)]
    word = (
        "a duration"
        if parse_duration in parsers
        else "a size"
        if parse_size in parsers
        else "a list of texts"
        if get_origin(kind) is tuple
        else "a number"
        if kind is int
        else "a text"
    )
    return word + _bounds(metadata)


def _bounds(metadata: list[Any]) -> str:
    low = next((part.ge for part in metadata if isinstance(part, Ge)), None)
    above = next((part.gt for part in metadata if isinstance(part, Gt)), None)
    high = next((part.le for part in metadata if isinstance(part, Le)), None)
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low:  # at least 0 goes without saying
        return f", {low} or more"
    return ", above 0" if above is not None else ""


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "needed"
    if value is None or (isinstance(value, SecretStr) and not value.get_secret_value()):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(_toml(item) for item in value)}]`"
    return f"`{_toml(value)}`"


def _toml(value: object) -> str:
    return (
        f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    )


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of the table, or of each of the tables, that *field* holds; None if it holds none."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


if __name__ == "__main__":
    sys.stdout.write(reference())
