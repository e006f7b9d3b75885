"""Which session variables servers let a client set: found out by a trial, and what is taken for it before that."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from rwrouter.cluster.probes import Row


@dataclass(slots=True)
class Trial:
    """Which session variables a server lets a client set: found out by setting each to what it is.

    The carrier asks for `names_sql`, then for `sql(name)` of each name that `candidates` returns, on a
    connection that is thrown away afterwards, and tells each outcome by `tell`. Names of *noise* are never
    tried: they are of one statement, or of the trackers themselves.
    """

    names_sql: str = "SHOW SESSION VARIABLES"
    settable: list[str] = field(default_factory=list)

    @staticmethod
    def candidates(rows: Sequence[Row]) -> tuple[str, ...]:
        """Return the names worth a trial out of the answer to `names_sql`."""
        names = (str(row["Variable_name"]).lower() for row in rows)
        return tuple(
            name
            for name in names
            if name not in NOISE
            and not name.startswith(("session_track_", "pseudo_"))
            and name.isidentifier()
        )

    @staticmethod
    def sql(name: str) -> str:
        """Return the statement that tries *name*."""
        return f"SET SESSION `{name}` = @@SESSION.`{name}`"

    def tell(self, name: str, code: int) -> None:
        """Take in the outcome of a trial: *code* is the server's error, 0 for none.

        ER_INCORRECT_GLOBAL_LOCAL_VAR (1238), ER_GLOBAL_VARIABLE (1229) and ER_VARIABLE_IS_READONLY (1621)
        mean that nobody can set it; ER_SPECIFIC_ACCESS_DENIED (1227) that somebody with more rights can.
        """
        if code in {0, 1227}:
            self.settable.append(name)


NOISE: Final = frozenset(
    {
        "statement_id",  # reported with every statement
        "timestamp",  # SET timestamp = DEFAULT reports the old value
        "insert_id",
        "last_insert_id",
        "identity",
        "rand_seed1",
        "rand_seed2",
        "error_count",
        "warning_count",
        "sql_log_bin",
        "gtid_next",
        "original_commit_timestamp",
        "original_server_version",
        "immediate_server_version",
    }
)

# What each MySQL server from 8.0 on lets a client set and applications do set: tracked until a trial has told
# more. A server that does not know one of them ignores it with a warning.
USUAL_VARIABLES: Final = (
    "auto_increment_increment",
    "auto_increment_offset",
    "autocommit",
    "block_encryption_mode",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
    "completion_type",
    "cte_max_recursion_depth",
    "default_storage_engine",
    "default_week_format",
    "div_precision_increment",
    "explicit_defaults_for_timestamp",
    "foreign_key_checks",
    "group_concat_max_len",
    "information_schema_stats_expiry",
    "innodb_lock_wait_timeout",
    "interactive_timeout",
    "lc_messages",
    "lc_time_names",
    "lock_wait_timeout",
    "long_query_time",
    "max_execution_time",
    "max_join_size",
    "net_read_timeout",
    "net_write_timeout",
    "optimizer_switch",
    "resultset_metadata",
    "sql_auto_is_null",
    "sql_big_selects",
    "sql_mode",
    "sql_notes",
    "sql_quote_show_create",
    "sql_safe_updates",
    "sql_select_limit",
    "sql_warnings",
    "time_zone",
    "transaction_isolation",
    "transaction_read_only",
    "unique_checks",
    "wait_timeout",
)
