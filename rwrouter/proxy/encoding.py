"""In which bytes the router writes its own answers: those of the session's character_set_results."""

import codecs
from typing import Any, Final

from pymysql import charset as charsets

from rwrouter.protocol.resultset import UTF8MB4, Encoding
from rwrouter.routing.session import Session

_CODECS: Final = {"ucs2": "utf-16-be", "utf16": "utf-16-be", "utf16le": "utf-16-le", "utf32": "utf-32-be"}
_IDS: Final = {"ucs2": 35, "utf16": 54, "utf16le": 56, "utf32": 60}  # not in PyMySQL's table


def encoding_of(session: Session, collation: int, variable: bytes = b"character_set_results") -> Encoding:
    """Return how texts are written for *session*, whose client named *collation* when it logged in.

    *variable*: `character_set_client` tells how the client writes its statements.
    NULL, `binary` and sets that nobody here can write give UTF-8 or plain ASCII, which most sets contain.
    """
    name = session.variables.get(variable)
    if name is None:
        try:
            known: Any = charsets.charset_by_id(collation)
        except KeyError:
            return UTF8MB4  # ids above 255 are utf8mb4's
        return Encoding(collation, _codec(known.name, known.encoding))
    text = name.decode("ascii", "replace").lower()
    if text in _CODECS:
        return Encoding(_IDS[text], _CODECS[text])
    found: Any = charsets.charset_by_name("utf8mb3" if text == "utf8" else text)
    return UTF8MB4 if found is None else Encoding(found.id, _codec(text, found.encoding))


def _codec(name: str, codec: str) -> str:
    if name == "binary":
        return "utf-8"
    try:
        return codecs.lookup(codec).name
    except LookupError:
        return "ascii"
