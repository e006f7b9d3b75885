"""On which line each key of a TOML document stands, for messages that say where to look.

The values come from tomllib, which does not keep positions. This scan runs after tomllib has accepted the
text, so it trusts the syntax (https://toml.io/en/v1.0.0) and only follows its shape.
"""

import re
import tomllib
from typing import Final

Path = tuple[str | int, ...]  # ("servers", 0, "weight"): keys, and indexes into lists

_TOKEN: Final = re.compile(
    r'''(?P<blank>[ \t\r]+|\#[^\n]*)
    |(?P<newline>\n)
    |(?P<string>"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
    |(?P<mark>[\[\]{}=,.])
    |(?P<word>[^\s\[\]{}=,."'\#]+)''',
    re.VERBOSE | re.DOTALL,
)


def key_lines(text: str) -> dict[Path, int]:
    """Return the line, counted from 1, of each key and list element of *text*, which must be valid TOML."""
    return _Scan(text).document()


class _Scan:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []  # kind, text, line
        line = 1
        for match in _TOKEN.finditer(text):
            if match.lastgroup != "blank":
                self._tokens.append((match.lastgroup or "", match[0], line))
            line += match[0].count("\n")
        self._tokens.append(("end", "", line))
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # how many [[...]] headers each list of tables has had

    def document(self) -> dict[Path, int]:
        table: Path = ()
        while self._peek() != "end":
            if self._peek() == "newline":
                self._at += 1
            elif self._text() == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _peek(self) -> str:
        return self._tokens[self._at][0]

    def _text(self) -> str:
        return self._tokens[self._at][1]

    def _header(self) -> Path:
        """Read [a.b] or [[a.b]]; return the table that it opens."""
        line = self._tokens[self._at][2]
        brackets = 0
        while self._text() == "[":
            brackets += 1
            self._at += 1
        path: Path = ()
        keys = self._key()
        for number, key in enumerate(keys):
            path = (*path, key)
            is_new_element = brackets == 2 and number == len(keys) - 1
            if is_new_element:
                self._tables[path] = self._tables.get(path, 0) + 1
            self._lines.setdefault(path, line)
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        self._lines.setdefault(path, line)
        self._at += brackets
        return path

    def _key(self) -> list[str]:
        """Read a dotted key; leave the position at what follows it."""
        keys = []
        while True:
            kind, text, _ = self._tokens[self._at]
            keys.append(tomllib.loads(f"k={text}")["k"] if kind == "string" else text)
            self._at += 1
            if self._text() != ".":
                return keys
            self._at += 1

    def _pair(self, path: Path) -> None:
        line = self._tokens[self._at][2]
        for key in self._key():
            path = (*path, key)
            self._lines.setdefault(path, line)
        self._at += 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self._text()
        if opening not in ("[", "{"):
            while self._peek() not in ("newline", "end") and self._text() not in (",", "]", "}"):
                self._at += 1  # a number with a point, or a date with a blank, is several tokens
            return
        closing = "]" if opening == "[" else "}"
        self._at += 1
        index = 0
        while self._text() != closing:
            if self._peek() == "newline" or self._text() == ",":
                self._at += 1
            elif opening == "{":
                self._pair(path)
            else:
                self._lines[(*path, index)] = self._tokens[self._at][2]
                self._value((*path, index))
                index += 1
        self._at += 1
