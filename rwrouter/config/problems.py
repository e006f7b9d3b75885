"""What is wrong with a configuration: one value per problem, each with its place and its mending."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from rwrouter.config.lines import Path
from rwrouter.config.model import Settings

SECRETS: Final = frozenset({"password", "backend_password", "admin_token"})  # never printed


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: *line* in the file, None where no line is to blame (options, environment)."""

    line: int | None
    key: str
    message: str

    def at(self, file: object) -> str:
        """Return the problem as one line of text that starts with its place in *file* (None: no file)."""
        place = "" if file is None else f"{file}: " if self.line is None else f"{file}:{self.line}: "
        return f"{place}{self.key}: {self.message}" if self.key else f"{place}{self.message}"


def key_text(path: Path) -> str:
    """Return *path* as people write it: servers[0].weight, elements counted from 0."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(word: object, known: Iterable[str]) -> str:
    """Return a question for the one of *known* that *word* looks like, or "" if none does."""
    by_folded = {right.lower(): right for right in known}
    found = difflib.get_close_matches(str(word).lower().replace("-", "_"), by_folded, n=1, cutoff=0.6)
    return f'did you mean "{by_folded[found[0]]}"?' if found else ""


def explain(error: ErrorDetails) -> str:
    """Return what one of pydantic's errors means, and what to write instead."""
    kind, path, given = error["type"], error["loc"], error["input"]
    context: Mapping[str, Any] = error.get("ctx", {})
    written = "the value" if path and path[-1] in SECRETS else _toml(given)
    if kind == "extra_forbidden":
        return unknown_key(path)
    if kind == "missing":
        return "is missing" + (': write address = "HOST:PORT"' if path[-1] == "address" else "")
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        choices = _choices(str(context["expected"]))
        question = nearest(given, choices)
        wanted = _either([f'"{choice}"' for choice in choices])
        return f"{written} is not known: write {wanted}" + (f"; {question}" if question else "")
    if kind in _BOUNDS:
        word, name = _BOUNDS[kind]
        return f"{written} is out of range: write {word} {context[name]:g}"
    wanted = _WANTED.get(kind, "")
    return f"{written} does not fit: write {wanted}" if wanted else f"{written}: {error['msg'].lower()}"


def unknown_key(path: Path) -> str:
    """Return what to say of a key that no setting has: the nearest right one, or where it belongs."""
    word, table = str(path[-1]), path[:-1]
    model = _model_at(table)
    here = list(model.model_fields) if model else []
    if question := nearest(word, here):
        return f"unknown key; {question}"
    homes = [f"[{key_text(home)}]" if home else "the top of the file" for home in _tables_with(word)]
    if homes:
        return f"unknown key here; it belongs in {_either(homes)}"
    of = f"[{key_text(tuple(p for p in table if isinstance(p, str)))}]" if table else "the top level"
    return f"unknown key; {of} has {', '.join(here)}"


_BOUNDS: Final = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_WANTED: Final = {
    "int_type": "a whole number, without quotes",
    "int_from_float": "a whole number",
    "float_type": 'seconds as a number, or "500ms", "2s", "1m"',
    "finite_number": 'seconds as a number, or "500ms", "2s", "1m"',
    "string_type": "a text in double quotes",
    "tuple_type": 'a list, such as ["..."]',
    "model_type": "a table, with a [header] of its own",
    "model_attributes_type": "a table, with a [header] of its own",
}


def _toml(value: object) -> str:
    """Return *value* as it would stand in the file, cut to one short line."""
    if isinstance(value, bool | int | float | str):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = (
            "a table" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else str(value)
        )
    return text if len(text) <= 60 else f"{text[:56]}..."


def _choices(expected: str) -> list[str]:
    """Return the words in pydantic's "'a', 'b' or 'c'"."""
    return [word for number, word in enumerate(expected.split("'")) if number % 2]


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _model_at(table: Path) -> type[BaseModel] | None:
    model: type[BaseModel] = Settings
    for part in table:
        if isinstance(part, int):
            continue
        if part not in model.model_fields or (inner := _section(model, part)) is None:
            return None
        model = inner
    return model


def _section(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the model of the table, or of the list of tables, called *name*; None if it is no table."""
    annotation = model.model_fields[name].annotation
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _tables_with(word: str) -> list[Path]:
    """Return the tables that have a setting called *word*, the top level included."""
    homes: list[Path] = [()] if word in Settings.model_fields else []
    for name in Settings.model_fields:
        section = _section(Settings, name)
        if section and word in section.model_fields:
            homes.append((name,))
    return homes
