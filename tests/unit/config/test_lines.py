"""Lines of keys in a TOML document."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rwrouter.config.lines import Path, key_lines

DOCUMENT = '''\
listen = ["127.0.0.1:6450"]  # a comment = no key
"quoted.key" = 1.5
text = """
not = "a key"
"""
list = [
  "a",  # [x]
  "]",
  ["b"],
]
dotted.inner.key = 1979-05-27 07:32:00

[reads]
max_lag = "a # b"
inline = { one = 1, two = ["x", { three = 3 }] }
[[servers]]
address = "db1"
[[servers]]

address = 'db2'
[servers.tags]
zone = "a"
[  spaced . "out"  ]
key = '''


def test_every_key_and_element_has_its_line() -> None:
    """Strings, comments, brackets and blank lines do not lead the count astray."""
    lines = key_lines(DOCUMENT + "7")
    expected: dict[Path, int] = {
        ("listen",): 1,
        ("listen", 0): 1,
        ("quoted.key",): 2,
        ("text",): 3,
        ("list",): 6,
        ("list", 0): 7,
        ("list", 1): 8,
        ("list", 2): 9,
        ("list", 2, 0): 9,
        ("dotted", "inner", "key"): 11,
        ("reads",): 13,
        ("reads", "max_lag"): 14,
        ("reads", "inline", "two", 1, "three"): 15,
        ("servers", 0): 16,
        ("servers", 0, "address"): 17,
        ("servers", 1): 18,
        ("servers", 1, "address"): 20,
        ("servers", 1, "tags", "zone"): 22,
        ("spaced", "out", "key"): 24,
    }
    assert {path: lines.get(path) for path in expected} == expected


def _paths(value: Any, path: Path = ()) -> set[Path]:
    """Return the paths of all that is in *value*."""
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    found = {path} if path else set()
    for key, inner in items:
        found |= _paths(inner, (*path, key))
    return found


KEYS = st.sampled_from(["a", "b-c", '"d.e"', "'f'", "1"])
SCALARS = st.sampled_from(
    ["1", "1.5", '"x]"', "'''\n=\n'''", '"""a"b\\""""', "true", "1979-05-27", '"\\"#"', "[]", "{}", "-inf"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: "[\n" + ", # c\n".join(parts) + "\n]")
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs.items()) + "}"
        )
    ),
    max_leaves=6,
)
STATEMENTS = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    st.tuples(KEYS, KEYS, VALUES).map(lambda parts: f"{parts[0]} . {parts[1]} = {parts[2]}"),
    KEYS.map(lambda key: f"[{key}]"),
    KEYS.map(lambda key: f"[[ {key} ]]"),
    st.tuples(KEYS, KEYS).map(lambda keys: f"[{keys[0]}.{keys[1]}]"),
    st.just("# = [comment"),
)


@given(st.lists(STATEMENTS, max_size=8).map("\n".join))
def test_the_scan_finds_what_the_parser_finds(text: str) -> None:
    """For any document that tomllib takes, the keys that have a line are the keys that have a value."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = key_lines(text)
    assert set(lines) == _paths(values)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
