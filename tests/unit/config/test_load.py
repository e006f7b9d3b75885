"""Loading: each kind of mistake, and the exact words that a user sees."""
# ruff: noqa: E501 - messages stand whole, as users see them

from pathlib import Path
from typing import Any

import pytest

from rwrouter.config.load import InvalidSettings, load, problems_in
from rwrouter.errors import ConfigError

GOOD = """\
servers = [{ address = "db1" }]
monitor.user = "m"
"""


def _complaint(tmp_path: Path, text: str | bytes, **overrides: Any) -> str:
    """Return what loading *text* says, with the name of the file cut to "f"."""
    file = tmp_path / "rwrouter.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidSettings) as caught:
        load(file, overrides, {})
    return str(caught.value).replace(str(file), "f")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('lisen = "x"', 'f:3: lisen: unknown key; did you mean "listen"?'),
        ("[reads]\nmaxlag = 1", 'f:4: reads.maxlag: unknown key; did you mean "max_lag"?'),
        (
            "[reads]\nmax_connections = 1",
            "f:4: reads.max_connections: unknown key here; it belongs in [limits]",
        ),
        ("[raeds]", 'f:3: raeds: unknown key; did you mean "reads"?'),
        ("[log]\ncolour = 1", "f:4: log.colour: unknown key; [log] has level, format"),
        ("workers = 0", 'f:3: workers: 0 is no number of workers: write one from 1 to 1024, or "auto"'),
        ("workers = true", 'f:3: workers: True is no number of workers: write one from 1 to 1024, or "auto"'),
        ('listen = "127.0.0.1:1"', 'f:3: listen: "127.0.0.1:1" does not fit: write a list, such as ["..."]'),
        ("listen = [6450]", "f:3: listen[0]: 6450 does not fit: write a text in double quotes"),
        ('listen = [\n"127.0.0.1:1",\n"x"]', 'f:5: listen[1]: "x" has no port: write "x:6450"'),
        ("reads = 1", "f:3: reads: 1 does not fit: write a table, with a [header] of its own"),
        (
            '[reads]\nmax_lag = "soon"',
            'f:4: reads.max_lag: "soon" is no duration: write seconds as a number, or "500ms", "2s", "1m", "1h"',
        ),
        (
            "[reads]\nmax_lag = true",
            'f:4: reads.max_lag: true does not fit: write seconds as a number, or "500ms", "2s", "1m"',
        ),
        (
            "[reads]\nmax_lag = inf",
            'f:4: reads.max_lag: Infinity does not fit: write seconds as a number, or "500ms", "2s", "1m"',
        ),
        ("[reads]\nmax_lag = 0", "f:4: reads.max_lag: 0 is out of range: write more than 0"),
        ("[reads]\nprimary_weight = -1", "f:4: reads.primary_weight: -1 is out of range: write at least 0"),
        (
            "[reads]\nprimary_weight = 1e6",
            "f:4: reads.primary_weight: 1000000.0 does not fit: write a whole number, without quotes",
        ),
        (
            "[reads]\nprimary_weight = 10001",
            "f:4: reads.primary_weight: 10001 is out of range: write at most 10000",
        ),
        (
            '[reads]\nfallback = "primry"',
            'f:4: reads.fallback: "primry" is not known: write "primary", "wait" or "error"; did you mean "primary"?',
        ),
        (
            '[limits]\nclassified_bytes = "1 mile"',
            'f:4: limits.classified_bytes: "1 mile" is no size: write bytes as a number, or "64K", "1M", "1G"',
        ),
        (
            "[[users]]\npassword = 12345",
            "f:3: users[0].name: is missing\nf:4: users[0].password: the value does not fit: write a text in double quotes",
        ),
        (
            '[[rules]]\nuser = "x"',
            "f:3: rules[0]: does nothing: write one of target, server, consistency, max_lag, deny",
        ),
        (
            '[[rules]]\nregex = "("\ndeny = "no"',
            "f:4: rules[0].regex: is no regular expression of Python's: missing ), unterminated subpattern at position 0",
        ),
        (
            '[[rules]]\nclients = ["10.0.0.1/8"]\ndeny = "no"',
            'f:4: rules[0].clients[0]: "10.0.0.1/8" has bits behind its prefix: write "10.0.0.0/8"',
        ),
        (
            '[[rules]]\ndeny = "no"\ntarget = "primary"',
            "f:4: rules[0].deny: stands beside target: what is denied goes nowhere; keep one",
        ),
        (
            '[[rules]]\nuser_name = "app"\ntarget = "primary"',
            'f:4: rules[0].user_name: unknown key; did you mean "user"?',
        ),
        ("[reads", "f:3: is not TOML: expected ']' at the end of a table declaration"),
        (
            "admin = localhost:1",
            'f:3: is not TOML: invalid value: texts stand in double quotes, as in name = "db1"',
        ),
        ("admin 1", "f:3: is not TOML: expected '=' after a key in a key/value pair: write key = value"),
        ("workers = 1\nworkers = 2", "f:4: is not TOML: cannot overwrite a value: it is there already"),
    ],
)
def test_each_mistake_has_its_message(tmp_path: Path, text: str, complaint: str) -> None:
    """File, line, key, what is wrong, what to write: the words are a promise."""
    assert _complaint(tmp_path, GOOD + text) == complaint


def test_bytes_that_are_not_utf8_have_a_line(tmp_path: Path) -> None:
    """A file in another encoding says where."""
    said = _complaint(tmp_path, b'zone = "a"\nzone2 = "\xe9"')
    assert said == "f:2: byte 0xe9 is not UTF-8: save the file as UTF-8"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The system's own words name the reason."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml: can't be read: No such file or directory"):
        load(tmp_path / "nowhere.toml")


def test_every_problem_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Wrong values do not hide what is wrong with the rest."""
    said = _complaint(tmp_path, 'listen = ["127.0.0.1:1", "127.0.0.1:1"]\nlisen = 1\n[reads]\nwait = "x"\n')
    places = [line.split(": ")[:2] for line in said.splitlines()]
    assert places == [
        ["f", "servers"],
        ["f", "monitor.user"],
        ["f:1", "listen[1]"],
        ["f:2", "lisen"],
        ["f:4", "reads.wait"],
    ]


def test_what_the_command_line_says_is_blamed_on_its_option(tmp_path: Path) -> None:
    """No line of the file is blamed for an option, and options replace what the file says."""
    assert _complaint(tmp_path, GOOD, listen=["x"]) == 'f: --listen: "x" has no port: write "x:6450"'
    assert _complaint(tmp_path, GOOD, servers=[{"address": "db1:0"}]) == (
        'f: --server: "db1:0": "0" is no port; write a number from 1 to 65535'
    )


def test_options_win_over_the_file_and_the_rest_of_a_table_stays(tmp_path: Path) -> None:
    """A list is replaced as a whole; of a table, only what is given."""
    file = tmp_path / "rwrouter.toml"
    file.write_text(GOOD + 'monitor.interval = "2s"\n')
    settings = load(file, {"servers": [{"address": "db9", "weight": 5}], "monitor": {"user": "n"}}, {})
    assert [(server.name, server.weight) for server in settings.servers] == [("db9:3306", 5)]
    assert (settings.monitor.user, settings.monitor.interval) == ("n", 2.0)


def test_passwords_come_from_the_environment(tmp_path: Path) -> None:
    """The environment wins over the file, and no password is ever printed."""
    file = tmp_path / "rwrouter.toml"
    file.write_text(GOOD + '[[users]]\nname = "app"\npassword_env = "APP"\n')
    settings = load(file, {}, {"RWROUTER_MONITOR_PASSWORD": "s1", "RWROUTER_ADMIN_TOKEN": "s2", "APP": "s3"})
    assert settings.monitor.password.get_secret_value() == "s1"
    assert settings.admin_token.get_secret_value() == "s2"
    assert settings.users[0].password.get_secret_value() == "s3"
    assert not {"s1", "s2", "s3"} & set(repr(settings).replace("'", " ").split())


def test_without_a_file_options_are_enough() -> None:
    """`rwrouter run --server ... --monitor-user ...` needs no file."""
    settings = load(None, {"servers": [{"address": "db1"}], "monitor": {"user": "m"}}, {})
    assert settings.servers[0].name == "db1:3306"


def test_problems_are_values(tmp_path: Path) -> None:
    """Callers that do not print can ask for line, key and message."""
    file = tmp_path / "rwrouter.toml"
    file.write_text(GOOD)
    assert problems_in(file) == ()
    file.write_text(GOOD + "workers = 0")
    assert [(problem.line, problem.key) for problem in problems_in(file)] == [(3, "workers")]
