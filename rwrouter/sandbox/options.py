"""The texts that make a sandbox: option files, accounts, and the statements that start replication.

Everything is for servers that are thrown away: durability is off, caches are small, and each server keeps
its own record of the statements that it ran, which is the truth that tests compare with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rwrouter.model import Flavor

COMMON = {
    "skip_name_resolve": "ON",
    "log_bin": "binlog",
    "relay_log": "relay",
    "log_slave_updates": "ON",
    "loose_binlog_format": "ROW",
    "sync_binlog": "0",
    "log_bin_trust_function_creators": "ON",
    "local_infile": "ON",
    "max_connections": "500",
    "max_allowed_packet": "64M",
    "table_open_cache": "400",
    "innodb_buffer_pool_size": "32M",
    # Written at each commit, never synced: what was committed survives kill -9, though no loss of power.
    # With 0 a killed replica of MariaDB comes back behind its own binary log, and refuses to go on.
    "innodb_flush_log_at_trx_commit": "2",
    "relay_log_recovery": "ON",
    "innodb_doublewrite": "OFF",
    "innodb_use_native_aio": "OFF",  # a machine's aio slots are few; many sandboxes share them
    "innodb_fast_shutdown": "1",
}
FLAVORED = {
    Flavor.MYSQL: {
        "gtid_mode": "ON",
        "enforce_gtid_consistency": "ON",
        "mysqlx": "OFF",
        "innodb_redo_log_capacity": "32M",
        "performance_schema": "ON",
        "performance_schema_consumer_events_statements_history": "ON",
        "performance_schema_consumer_events_statements_history_long": "ON",
        "performance_schema_events_statements_history_long_size": "20000",
    },
    Flavor.MARIADB: {
        "gtid_strict_mode": "ON",
        "innodb_log_file_size": "16M",
        "general_log": "ON",
        "log_output": "TABLE",
        "log_disabled_statements": "slave,sp",
    },
}
RENAMED = {"log_slave_updates": "log_replica_updates"}  # MySQL 8.0.26 and later

APP_RIGHTS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, "
    "EVENT, TRIGGER, PROCESS, RELOAD"
)  # nothing that read_only lets through: no SUPER, CONNECTION_ADMIN, READ ONLY ADMIN


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its password, the same on every server of a sandbox."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who may log in: *root* may do all, *app* is an application, *monitor* has what the monitor needs."""

    root: Account
    app: Account
    monitor: Account
    replication: Account


def option_file(
    flavor: Flavor,
    home: Path,
    *,
    server_id: int,
    port: int,
    is_replica: bool,
    user: str | None,
    extra: Mapping[str, str],
    host: str = "127.0.0.1",
) -> str:
    """Return the option file of one server whose files lie in *home*, as the server sees it.

    It listens at *host*, and at *port*.
    *user* is whom the server shall run as: named only where root starts it, which servers refuse else.
    *extra* wins over what is set here.
    """
    options = {
        "datadir": str(home / "data"),
        "socket": str(home / "sock"),
        "pid_file": str(home / "pid"),
        "log_error": str(home / "log.err"),
        "secure_file_priv": str(home / "files"),
        "tmpdir": str(
            home / "tmp"
        ),  # of its own: a server that starts removes the temporary tables of others
        "port": str(port),
        "server_id": str(server_id),
        "bind_address": host,
        "report_host": host,
        "report_port": str(port),
        **initial_options(flavor),
    }
    if user is not None:
        options["user"] = user
    if is_replica:
        options["read_only"] = "ON"
        if flavor is Flavor.MYSQL:
            options["super_read_only"] = "ON"
    options.update(extra)
    return "\n".join(["[mysqld]", *(f"{name}={value}" for name, value in options.items()), ""])


def initial_options(flavor: Flavor) -> dict[str, str]:
    """Return the options that do not depend on which server of a sandbox it is."""
    merged = COMMON | FLAVORED[flavor]
    if flavor is Flavor.MYSQL:
        merged = {RENAMED.get(name, name): value for name, value in merged.items()}
    return merged


def account_statements(flavor: Flavor, accounts: Accounts) -> list[str]:
    """Return what makes the accounts, each on a line of its own (an init file is read line by line)."""
    monitor_rights = "REPLICATION CLIENT"
    if flavor is Flavor.MARIADB:  # 10.5 and later: SHOW REPLICA STATUS needs a right of its own
        monitor_rights = "BINLOG MONITOR, SLAVE MONITOR"
    rights = {
        accounts.root: "ALL PRIVILEGES",
        accounts.app: APP_RIGHTS,
        accounts.monitor: monitor_rights,
        accounts.replication: "REPLICATION SLAVE",
    }
    statements = [f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{accounts.root.password}'"]
    for account, right in rights.items():
        who = f"'{account.user}'@'%'"
        option = " WITH GRANT OPTION" if account is accounts.root else ""
        statements += [
            f"CREATE USER {who} IDENTIFIED BY '{account.password}'",
            f"GRANT {right} ON *.* TO {who}{option}",
        ]
    if flavor is Flavor.MYSQL:
        statements.append(f"GRANT BACKUP_ADMIN, XA_RECOVER_ADMIN ON *.* TO '{accounts.app.user}'@'%'")
    return statements


def replication_statements(flavor: Flavor, port: int, account: Account, host: str = "127.0.0.1") -> list[str]:
    """Return what makes a server the replica of the one at *host* and *port*, from its first GTID on."""
    if flavor is Flavor.MYSQL:
        change = (
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', "
            f"SOURCE_PORT={port}, SOURCE_USER='{account.user}', SOURCE_PASSWORD='{account.password}', "
            "SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1, "
            "SOURCE_RETRY_COUNT=86400, SOURCE_HEARTBEAT_PERIOD=1"
        )
        return [change, "START REPLICA"]
    change = (
        f"CHANGE MASTER TO MASTER_HOST='{host}', "
        f"MASTER_PORT={port}, MASTER_USER='{account.user}', MASTER_PASSWORD='{account.password}', "
        "MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1"
    )
    return [change, "START SLAVE"]
