"""Checks of the settings as a whole."""

from typing import Any

import pytest

from rwrouter.config.checks import findings
from rwrouter.config.lines import Path
from rwrouter.config.model import Settings

GOOD: dict[str, Any] = {
    "servers": [{"address": "db1"}, {"address": "db2", "name": "two"}],
    "monitor": {"user": "m"},
}


def _found(values: dict[str, Any], environ: dict[str, str] | None = None) -> list[tuple[Path, str]]:
    return list(findings(Settings.model_validate({**GOOD, **values}), environ or {}))


def test_a_good_configuration_has_no_findings() -> None:
    """Servers and an account to watch them with are enough."""
    assert _found({}) == []


@pytest.mark.parametrize(
    ("values", "key", "message"),
    [
        ({"listen": []}, ("listen",), 'is empty: write where clients connect, such as ["127.0.0.1:6450"]'),
        (
            {"listen": ["127.0.0.1:1", "127.0.0.1:1"]},
            ("listen", 1),
            '"127.0.0.1:1" is given twice: keep one of them, or use another port',
        ),
        (
            {"listen": ["0.0.0.0:1", "127.0.0.1:1"]},
            ("listen", 1),
            '"127.0.0.1:1" clashes with "0.0.0.0:1": keep one of them, or use another port',
        ),
        (
            {"listen": ["0.0.0.0:6451"]},
            ("admin",),
            '"127.0.0.1:6451" clashes with the listener "0.0.0.0:6451": use another port',
        ),
        (
            {"admin": "0.0.0.0:80"},
            ("admin",),
            (
                '"0.0.0.0:80" can be reached by others: set a token in the environment variable '
                'RWROUTER_ADMIN_TOKEN, or write "127.0.0.1:80"'
            ),
        ),
        (
            {"servers": []},
            ("servers",),
            'none is given: write [[servers]] and below it address = "HOST:PORT", or use --server HOST:PORT',
        ),
        (
            {"servers": [{"address": "db1"}, {"address": "db1:3306"}]},
            ("servers", 1, "address"),
            '"db1:3306" is the server "db1:3306" already: each is named once',
        ),
        (
            {"servers": [{"address": "a", "name": "x"}, {"address": "b", "name": "x"}]},
            ("servers", 1, "name"),
            '"x" is taken: each server needs a name of its own',
        ),
        (
            {"servers": [{"address": "localhost:6450"}]},
            ("servers", 0, "address"),
            (
                '"localhost:6450" is where the router itself listens ("127.0.0.1:6450"): '
                "write the MySQL server's address"
            ),
        ),
        (
            {"monitor": {}},
            ("monitor", "user"),
            (
                "is missing: write an account that has REPLICATION CLIENT on every server, or use "
                "--monitor-user (the password in the environment variable RWROUTER_MONITOR_PASSWORD)"
            ),
        ),
        (
            {"reads": {"max_lag": 2, "resume_lag": "3s"}},
            ("reads", "resume_lag"),
            "3 s is above max_lag (2 s): a replica would come back while it is too far behind; write less",
        ),
        (
            {"client_tls": {"mode": "VERIFY_CA"}},
            ("client_tls", "mode"),
            (
                '"VERIFY_CA" is for servers: towards clients write "DISABLED", "PREFERRED" or "REQUIRED", '
                "and ca to ask them for certificates"
            ),
        ),
        (
            {"client_tls": {"certificate": "c.pem"}},
            ("client_tls", "certificate"),
            "needs its private key: write key too",
        ),
        (
            {"server_tls": {"key": "k.pem"}},
            ("server_tls", "key"),
            "needs its certificate: write certificate too",
        ),
        (
            {"server_tls": {"mode": "VERIFY_IDENTITY"}},
            ("server_tls", "mode"),
            '"VERIFY_IDENTITY" needs authorities to trust: write ca = "FILE.pem" too',
        ),
        (
            {"users": [{"name": "u", "password": "x"}, {"name": "u", "password": "y"}]},
            ("users", 1, "name"),
            '"u" is there already: each user is named once',
        ),
        (
            {"users": [{"name": "u", "password": "x", "password_env": "X"}]},
            ("users", 0, "password_env"),
            "stands beside password: keep one of them",
        ),
        (
            {"users": [{"name": "u", "password_env": "X"}]},
            ("users", 0, "password_env"),
            'the environment has no "X": set it before rwrouter starts',
        ),
        (
            {"users": [{"name": "u"}]},
            ("users", 0),
            '"u" has no password: write password_env = "VARIABLE"',
        ),
    ],
)
def test_each_finding_names_the_key_and_the_mending(values: dict[str, Any], key: Path, message: str) -> None:
    """What single settings can't tell is told once, at the key to change."""
    assert _found(values) == [(key, message)]


def test_a_token_or_loopback_keeps_the_admin_side_private() -> None:
    """Others may reach it only with a token; turned off, there is nothing to reach."""
    assert _found({"admin": "0.0.0.0:80", "admin_token": "t"}) == []
    assert _found({"admin": ""}) == []


def test_a_user_may_have_an_empty_password_on_purpose() -> None:
    """An empty password is taken if it is written; a password in the environment may be set."""
    assert (
        _found({"users": [{"name": "u", "password": ""}, {"name": "v", "password_env": "X"}]}, {"X": "y"})
        == []
    )


RULE = {"target": "primary"}


@pytest.mark.parametrize(
    ("rules", "key", "message"),
    [
        ([{**RULE, "server": "two"}], "server", 'stands beside target = "primary": keep one of them'),
        ([{"server": "tow"}], "server", '"tow" is no server of this file: did you mean "two"?'),
        (
            [{**RULE, "name": "a"}, {**RULE, "name": "a"}],
            "name",
            '"a" is there already: give each rule a name of its own',
        ),
    ],
)
def test_rules(rules: list[dict[str, str]], key: str, message: str) -> None:
    """What a rule can't do is said where it stands."""
    assert _found({"rules": rules}) == [(("rules", len(rules) - 1, key), message)]
