"""Command or state x what the router does x the test that shows it: `make docs` writes docs/fidelity.md from this.

A test is named `file::function`, below tests/; tests/test_docs_fidelity.py holds that each is there. What is known to be
different comes from the rows of tests/differential/regressions.py that have something *missing*.
"""

import sys
from typing import Final, NamedTuple

from tests.differential.regressions import REGRESSIONS

WHERE: Final = "integration/test_where.py"
PROTOCOL: Final = "integration/test_protocol.py"
COMMANDS: Final = "integration/test_commands.py"
LESSONS: Final = "integration/test_lessons_sessions.py::test_sessions"
RANDOM: Final = "differential/test_differential.py::test_random_programs"
ONCE: Final = "differential/test_differential.py::test_what_was_different_once"
EXECUTING: Final = "unit/proxy/test_executing.py"
DIAGNOSTICS: Final = "unit/proxy/test_diagnostics.py"


class Row(NamedTuple):
    """One line of the table."""

    what: str
    does: str
    shown_by: tuple[str, ...]


SECTIONS: Final[dict[str, tuple[Row, ...]]] = {
    "Commands": (
        Row("`COM_QUERY`", "plain reads to replicas, all else to the primary", (f"{WHERE}::test_reads_are_spread_by_weight", f"{WHERE}::test_what_is_no_plain_read_is_the_primarys", RANDOM)),
        Row("several statements in a packet", "to the primary, together", (f"{PROTOCOL}::test_several_results", RANDOM)),
        Row("`COM_SET_OPTION`", "on every connection of the session", (f"{COMMANDS}::test_multi_statements_can_be_switched_off_and_on",)),
        Row("query attributes", "pass; the text behind them is read", (RANDOM, "integration/test_wire.py::test_attributes_of_a_statement_reach_the_server", "integration/test_statements.py::test_explain_names_who_answers")),
        Row("`COM_STMT_PREPARE`, `COM_STMT_EXECUTE`", "ids of the router's own; prepared first on the primary, then where it runs; reads are spread", (f"{PROTOCOL}::test_prepared_statements_are_spread", RANDOM)),
        Row("parameter types sent once", "sent along to each server that has not seen them", (f"{EXECUTING}::test_types_that_a_server_has_not_seen_are_sent_along", RANDOM)),
        Row("`COM_STMT_SEND_LONG_DATA`", "to the connection that will execute it: the primary's", (f"{EXECUTING}::test_long_data_goes_where_it_is_executed", RANDOM)),
        Row("`COM_STMT_FETCH`, cursors", "on the connection where the cursor is open", (f"{COMMANDS}::test_cursors_are_fetched_where_they_are_open", f"{COMMANDS}::test_a_cursor_outlives_statements_prepared_after_it", RANDOM)),
        Row("`COM_STMT_RESET`, `COM_STMT_CLOSE`", "wherever it is prepared; what is forgotten is closed", (f"{COMMANDS}::test_statements_that_are_forgotten_do_not_pile_up", f"{EXECUTING}::test_close_reaches_every_server_that_has_it")),
        Row("an unknown statement id", "the server's own error", (f"{EXECUTING}::test_an_unknown_id_gets_the_servers_error", ONCE)),
        Row("`CALL` with results and OUT parameters", "to the primary; every result passes", (f"{PROTOCOL}::test_several_results", "integration/test_wire.py::test_procedures_with_several_results_and_parameters_out", ONCE)),
        Row("`COM_INIT_DB`, `USE`", "followed on every connection", (RANDOM,)),
        Row("`COM_CHANGE_USER`", "on the primary first; other connections follow or are left", ("integration/test_change_user.py::test_nothing_of_the_session_is_left", "integration/test_change_user.py::test_all_connections_follow")),
        Row("`COM_RESET_CONNECTION`", "on every connection, before its next statement", ("integration/test_session_followers.py::test_a_reset_ends_all_that_ties", RANDOM, ONCE)),
        Row("`COM_BINLOG_DUMP`, `COM_BINLOG_DUMP_GTID`", "on one connection to the primary", (f"{COMMANDS}::test_the_binary_log_is_read_through_the_router",)),
        Row("every other command, known or not", "as the server answers it", (f"{COMMANDS}::test_every_command_is_answered_as_by_the_server",)),
        Row("`CONNECTION_ID()` alone, `SHOW PROCESSLIST`", "as the primary answers, with the router's ids of the clients of this worker", ("integration/test_thread_ids.py::test_the_metadata_are_the_servers", "integration/test_thread_ids.py::test_a_client_finds_and_ends_another_by_the_process_list")),
        Row("`KILL`, `COM_PROCESS_KILL`", "the router's ids; on whatever server the statement runs", (f"{PROTOCOL}::test_kill_speaks_of_the_routers_ids",)),
        Row("`LOAD DATA LOCAL INFILE`", "the client's file is streamed; no other statement gets one", (f"{PROTOCOL}::test_a_file_of_the_client", "integration/test_malformed_servers.py::test_a_reply_that_is_none")),
        Row("packets above 16 MB", "streamed, both ways", (f"{PROTOCOL}::test_big_statements_and_results",)),
        Row("files that are empty, or refused in the middle", "as at the server", ("integration/test_wire.py::test_files_of_clients",)),
        Row("results without metadata", "followed, on every server", ("integration/test_wire.py::test_results_without_metadata",)),
        Row("attributes of a connection", "passed on, with `rwrouter_client` beside them", ("integration/test_wire.py::test_attributes_of_a_connection_reach_the_servers",)),
        Row("`mysql_clear_password`, unix sockets", "taken over TLS; listened at", ("integration/test_wire.py::test_a_password_in_the_clear_over_tls", "integration/test_wire.py::test_over_a_unix_socket")),
        Row("MariaDB: bulk execution, names of types, progress reports", "carried", ("integration/test_mariadb_wire.py::test_many_rows_by_one_execution", "integration/test_mariadb_wire.py::test_extended_capabilities", "integration/test_mariadb_wire.py::test_progress_reports_are_passed_on")),
        Row("compression", "zlib and zstd towards clients; towards servers if asked", ("integration/test_compression.py::test_two_clients_of_others", "integration/test_compression.py::test_towards_servers")),
        Row("PROXY protocol", "taken from listed networks; sent to servers if asked", ("integration/test_proxy_protocol.py::test_the_address_of_a_client_behind_a_balancer", "integration/test_proxy_protocol.py::test_servers_see_the_clients_address")),
        Row("replies with and without `CLIENT_DEPRECATE_EOF`, session tracking", "as the client agreed; what only the router asked for is taken out", (RANDOM, ONCE, "unit/protocol/test_response.py::test_a_client_that_asked_is_told_what_the_server_would_tell_it")),
        Row("`session_track_*` that a client sets or shows", "its own: the server answers with them in force, and it is told what they ask for", (RANDOM, ONCE, "unit/proxy/test_trackers.py::test_they_are_set_among_the_clients_own_and_then_followed")),
    ),
    "State of a session": (
        Row("transactions", "all of it on one connection, by the server's status flags", (f"{WHERE}::test_a_transaction_is_the_primarys", LESSONS, RANDOM)),
        Row("`START TRANSACTION READ ONLY`", "on one replica, until something in it needs the primary", (f"{WHERE}::test_a_read_only_transaction_is_one_replicas", LESSONS, ONCE)),
        Row("savepoints, `autocommit`, chained and XA transactions, `SET TRANSACTION`", "as the server's flags say", (LESSONS, RANDOM)),
        Row("system variables, character sets, `sql_mode`, time zone", "brought to each connection before its next statement", (f"{WHERE}::test_a_variable_holds_wherever_it_is_read", LESSONS, RANDOM)),
        Row("roles, transactions' access mode, a new password of one's own", "follow to each connection", (LESSONS, "integration/test_session_followers.py::test_a_role_holds_on_every_server", "integration/test_session_followers.py::test_a_session_goes_on_with_its_new_password")),
        Row("`reads.monotonic`", "nothing older than what the session has read", ("integration/test_monotonic.py::test_a_session_never_reads_older",)),
        Row("user variables", "kept on the primary's connection, or brought along", (LESSONS, RANDOM)),
        Row("temporary tables, `LOCK TABLES`, named locks, `HANDLER`, text `PREPARE`", "tie the session, or what uses them, to one connection, until the last is gone", (LESSONS, RANDOM, "integration/test_sessions.py::test_ties_are_seen_and_sessions_ended")),
        Row("`FLUSH TABLES … WITH READ LOCK`, `LOCK INSTANCE FOR BACKUP`, `BACKUP STAGE`, `BACKUP LOCK`", "tie the session to the primary until they end", (LESSONS,)),
        Row("`SET RESOURCE GROUP`", "on the primary alone: it changes no answer", (LESSONS,)),
        Row("`autocommit` off by the servers' own settings", "told in the greeting and the login, and kept on every connection", ("integration/test_session_followers.py::test_a_server_may_begin_sessions_with_autocommit_off",)),
        Row("a session's own `wait_timeout`", "the client is hung up on after so long, in the server's words", ("integration/test_session_followers.py::test_a_client_is_hung_up_on_after_its_own_wait_timeout",)),
        Row("`LAST_INSERT_ID()`", "asked of the primary's connection", (LESSONS, RANDOM)),
        Row("`ROW_COUNT()`, `FOUND_ROWS()`, `SHOW WARNINGS`, `GET DIAGNOSTICS`", "asked of the connection that knows; counts are brought to the primary where a write or a transaction asks", (LESSONS, RANDOM, f"{DIAGNOSTICS}::test_rows_found_are_those_of_the_read", f"{DIAGNOSTICS}::test_a_statement_of_the_primary_is_told", f"{EXECUTING}::test_a_prepare_leaves_the_statement_before_where_it_was")),
        Row("a session's own writes", "seen by its reads", ("integration/test_own_writes.py::test_no_read_is_stale", RANDOM)),
        Row("a read that writes after all", "refused by the replica, run on the primary, remembered", (f"{WHERE}::test_a_hidden_write_is_corrected", RANDOM)),
        Row("every error, warning, count, flag and definition", "the server's own, byte for byte", (RANDOM, ONCE)),
    ),
    "What should not come": (
        Row("garbage from a client", "its connection ends, with a line in the log", ("integration/test_hostile_clients.py::test_garbage_before_the_login", "integration/test_hostile_clients.py::test_garbage_after_the_login")),
        Row("a server's login that breaks the protocol", "another server is asked", ("integration/test_malformed_servers.py::test_a_login_that_is_none",)),
        Row("a reply that breaks the protocol before its first byte has passed", "reads run again elsewhere; what may have written gets an error, and is not run again", ("integration/test_malformed_servers.py::test_a_reply_that_is_none",)),
        Row("a result that breaks off", "never taken for a whole one: the client's connection ends", ("integration/test_malformed_servers.py::test_a_result_that_breaks_off",)),
        Row("a server that speaks unasked", "the connection is never used again", ("integration/test_malformed_servers.py::test_a_server_that_speaks_unasked",)),
        Row("any bytes in any reader", "no exception, no endless loop, no more memory than came", ("unit/test_fuzz.py::test_any_bytes", "unit/test_fuzz.py::test_what_is_right_or_broke_it_once")),
    ),
}  # fmt: skip


def page() -> str:
    """Return docs/fidelity.md."""
    lines = [
        "# What a client can tell",
        "",
        "Nothing, if the router does its work: the answers are the primary's. Each line names the tests that show it,",
        "below `tests/`; `make docs` writes this page from `tests/fidelity.py`. The differential test",
        "(`tests/differential/`, `make soak`) runs the same random programs on the primary and through the router, and",
        "compares every packet. Connections are not shared between sessions yet, so sharing is not part of it.",
        "",
    ]
    for section, rows in SECTIONS.items():
        lines += [f"## {section}", "", "| What | What the router does | Shown by |", "|---|---|---|"]
        for row in rows:
            shown = ", ".join(f"`{test.rpartition('/')[2].replace('::', ' ')}`" for test in row.shown_by)
            lines.append(f"| {row.what} | {row.does} | {shown} |")
        lines.append("")
    lines += [
        "## Known differences",
        "",
        "Each is a program in `tests/differential/regressions.py` that fails, and must until it is mended.",
        "",
        "| Program | Servers | What is different | What is missing |",
        "|---|---|---|---|",
    ]
    for known in REGRESSIONS:
        if known.missing:
            lines.append(f"| `{known.name}` | {', '.join(known.flavors)} | {known.why} | {known.missing} |")
    lines += ["", "Mended ones stay there as tests:", ""]
    lines += [f"- `{known.name}`: {known.why}." for known in REGRESSIONS if not known.missing]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
