"""What a mention of a system variable says about where a statement may run (`SELECT @@x`).

Variables of the session are the same on each of its connections, because the router brings them there; what
describes one server must always describe the same one. What is on no list goes to the primary.
"""

from typing import Final

from rwrouter.sql.words import words_of

# They tell servers apart: people read them to see the split.
IDENTITY: Final = frozenset({"hostname", "port", "server_id", "server_uuid"})

# They speak of the statement before.
OF_LAST_STATEMENT: Final = frozenset({"warning_count", "error_count"})
OF_LAST_INSERT: Final = frozenset({"identity", "last_insert_id"})

# Session variables that a router brings to every connection of a session.
SESSION: Final = words_of(
    """
    autocommit auto_increment_increment auto_increment_offset character_set_client
    character_set_connection character_set_results collation_connection completion_type
    cte_max_recursion_depth default_storage_engine default_week_format div_precision_increment
    explicit_defaults_for_timestamp foreign_key_checks group_concat_max_len interactive_timeout
    lc_messages lc_time_names lock_wait_timeout innodb_lock_wait_timeout max_execution_time
    max_join_size max_sort_length max_statement_time net_read_timeout net_write_timeout optimizer_switch
    sql_auto_is_null sql_big_selects sql_mode sql_notes sql_quote_show_create sql_safe_updates
    sql_select_limit sql_warnings time_zone transaction_isolation transaction_read_only tx_isolation
    tx_read_only unique_checks wait_timeout windowing_use_high_precision
    """
)

SCOPES: Final = frozenset({"session", "local", "global", "persist", "persist_only"})
GLOBAL_SCOPES: Final = frozenset({"global", "persist", "persist_only"})

# Setting one of these makes state that no tracker tells, or changes what a connection means for replication.
CONNECTION_STATE: Final = words_of(
    """
    profiling profiling_history_size gtid_next gtid_domain_id server_id gtid_seq_no sql_log_bin
    pseudo_thread_id pseudo_slave_mode pseudo_replica_mode original_commit_timestamp skip_replication
    rand_seed1 rand_seed2
    """
)
TRACKERS: Final = "session_track_"
LISTS: Final = frozenset({"session_variables", "system_variables", "variables_by_thread"})
"""Tables of performance_schema and information_schema that have the session's values."""
