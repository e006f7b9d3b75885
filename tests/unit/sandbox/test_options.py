"""The texts that make a sandbox."""

from pathlib import Path

import pytest

from rwrouter.model import Flavor
from rwrouter.sandbox.options import (
    APP_RIGHTS,
    Account,
    Accounts,
    account_statements,
    option_file,
    replication_statements,
)

ACCOUNTS = Accounts(*(Account(name, f"{name}-secret") for name in Accounts.__slots__))


def _options(text: str) -> dict[str, str]:
    section, *lines = text.splitlines()
    assert section == "[mysqld]"
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("flavor", Flavor)
@pytest.mark.parametrize("is_replica", [False, True])
def test_an_option_file_has_one_server(flavor: Flavor, *, is_replica: bool) -> None:
    """Each server listens on loopback alone, on its own port, with its files in its own place."""
    options = _options(
        option_file(
            flavor, Path("/x"), server_id=7, port=3310, is_replica=is_replica, user=None, extra={"a": "1"}
        )
    )
    assert options["bind_address"] == "127.0.0.1"
    assert (options["port"], options["server_id"], options["a"]) == ("3310", "7", "1")
    assert (options["datadir"], options["socket"]) == ("/x/data", "/x/sock")
    assert options.get("read_only") == ("ON" if is_replica else None)
    assert ("super_read_only" in options) == (is_replica and flavor is Flavor.MYSQL)
    assert "user" not in options


def test_the_callers_options_win() -> None:
    """What is given as extra replaces what the sandbox would set."""
    text = option_file(
        Flavor.MYSQL,
        Path("/x"),
        server_id=1,
        port=1,
        is_replica=True,
        user="root",
        extra={"read_only": "OFF", "gtid_mode": "OFF"},
    )
    options = _options(text)
    assert (options["read_only"], options["gtid_mode"], options["user"]) == ("OFF", "OFF", "root")


@pytest.mark.parametrize("flavor", Flavor)
def test_accounts_have_no_more_than_they_should(flavor: Flavor) -> None:
    """One line each; the application has nothing that read_only lets through; the monitor reads no data."""
    statements = account_statements(flavor, ACCOUNTS)
    assert all("\n" not in statement for statement in statements)
    grants = {s.split("'")[1]: s.split(" ON ")[0] for s in statements if s.startswith("GRANT")}
    assert "SELECT" not in grants["monitor"]
    assert grants["replication"] == "GRANT REPLICATION SLAVE"
    for right in ("SUPER", "READ ONLY", "CONNECTION_ADMIN", "SHOW_ROUTINE", "ALL PRIVILEGES"):
        assert right not in APP_RIGHTS
        assert right not in grants["app"]


@pytest.mark.parametrize(
    ("flavor", "words"),
    [
        (Flavor.MYSQL, ("SOURCE_AUTO_POSITION=1", "GET_SOURCE_PUBLIC_KEY=1", "START REPLICA")),
        (Flavor.MARIADB, ("MASTER_USE_GTID=slave_pos", "START SLAVE")),
    ],
)
def test_replication_goes_by_gtid(flavor: Flavor, words: tuple[str, ...]) -> None:
    """Each flavor's statements name the source, the account, and GTIDs as the position."""
    text = "; ".join(replication_statements(flavor, 3310, ACCOUNTS.replication))
    for word in (*words, "PORT=3310", "USER='replication'", "PASSWORD='replication-secret'"):
        assert word in text
    assert "HOST='127.0.0.1'" in text
    elsewhere = replication_statements(flavor, 3310, ACCOUNTS.replication, "192.0.2.7")
    assert "HOST='192.0.2.7'" in "; ".join(elsewhere)


def test_a_server_can_have_an_address_of_its_own() -> None:
    """It listens there, and says so to those who list replicas."""
    text = option_file(
        Flavor.MYSQL,
        Path("/x"),
        server_id=1,
        port=1,
        is_replica=False,
        user=None,
        extra={},
        host="192.0.2.7",
    )
    options = _options(text)
    assert options["bind_address"] == options["report_host"] == "192.0.2.7"
