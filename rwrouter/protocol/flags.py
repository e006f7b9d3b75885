"""Numbers of the protocol, as plain ints: `IntFlag` arithmetic is too slow for the hot path.

MySQL: pages "Capabilities Flags" (group__group__cs__capabilities__flags) and "Command Phase" of the source
documentation, include/mysql_com.h, include/my_command.h. MariaDB: "Connecting" and "0 - Packet" in its
knowledge base, include/mysql_com.h.
"""

from typing import Final

# Capabilities, the lower 32 bits ---------------------------------------------------------------------------

CLIENT_LONG_PASSWORD: Final = 1 << 0  # in MariaDB's words CLIENT_MYSQL: clear in a MariaDB greeting
CLIENT_MYSQL: Final = CLIENT_LONG_PASSWORD
CLIENT_FOUND_ROWS: Final = 1 << 1
CLIENT_LONG_FLAG: Final = 1 << 2
CLIENT_CONNECT_WITH_DB: Final = 1 << 3
CLIENT_NO_SCHEMA: Final = 1 << 4
CLIENT_COMPRESS: Final = 1 << 5
CLIENT_ODBC: Final = 1 << 6
CLIENT_LOCAL_FILES: Final = 1 << 7
CLIENT_IGNORE_SPACE: Final = 1 << 8
CLIENT_PROTOCOL_41: Final = 1 << 9
CLIENT_INTERACTIVE: Final = 1 << 10
CLIENT_SSL: Final = 1 << 11
CLIENT_IGNORE_SIGPIPE: Final = 1 << 12
CLIENT_TRANSACTIONS: Final = 1 << 13
CLIENT_RESERVED: Final = 1 << 14
CLIENT_SECURE_CONNECTION: Final = 1 << 15  # MySQL 8 calls it CLIENT_RESERVED2; old drivers ask for it
CLIENT_MULTI_STATEMENTS: Final = 1 << 16
CLIENT_MULTI_RESULTS: Final = 1 << 17
CLIENT_PS_MULTI_RESULTS: Final = 1 << 18
CLIENT_PLUGIN_AUTH: Final = 1 << 19
CLIENT_CONNECT_ATTRS: Final = 1 << 20
CLIENT_PLUGIN_AUTH_LENENC: Final = 1 << 21  # ..._LENENC_CLIENT_DATA
CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS: Final = 1 << 22
CLIENT_SESSION_TRACK: Final = 1 << 23
CLIENT_DEPRECATE_EOF: Final = 1 << 24
CLIENT_OPTIONAL_RESULTSET_METADATA: Final = 1 << 25
CLIENT_ZSTD: Final = 1 << 26  # CLIENT_ZSTD_COMPRESSION_ALGORITHM
CLIENT_QUERY_ATTRIBUTES: Final = 1 << 27
CLIENT_MULTI_FACTOR: Final = 1 << 28  # MULTI_FACTOR_AUTHENTICATION
CLIENT_CAPABILITY_EXTENSION: Final = 1 << 29
CLIENT_SSL_VERIFY_SERVER_CERT: Final = 1 << 30
CLIENT_REMEMBER_OPTIONS: Final = 1 << 31

# MariaDB's extended capabilities: bits 32 to 63, sent in the reserved bytes of greeting and response -------

MARIADB_CLIENT_PROGRESS: Final = 1 << 32
MARIADB_CLIENT_COM_MULTI: Final = 1 << 33
MARIADB_CLIENT_STMT_BULK_OPERATIONS: Final = 1 << 34
MARIADB_CLIENT_EXTENDED_METADATA: Final = 1 << 35
MARIADB_CLIENT_CACHE_METADATA: Final = 1 << 36
MARIADB_CLIENT_BULK_UNIT_RESULTS: Final = 1 << 37

# Status flags in OK and EOF packets (SERVER_STATUS_flags_enum in mysql_com.h) ------------------------------

SERVER_STATUS_IN_TRANS: Final = 1 << 0
SERVER_STATUS_AUTOCOMMIT: Final = 1 << 1
SERVER_MORE_RESULTS_EXISTS: Final = 1 << 3
SERVER_QUERY_NO_GOOD_INDEX_USED: Final = 1 << 4
SERVER_QUERY_NO_INDEX_USED: Final = 1 << 5
SERVER_STATUS_CURSOR_EXISTS: Final = 1 << 6
SERVER_STATUS_LAST_ROW_SENT: Final = 1 << 7
SERVER_STATUS_DB_DROPPED: Final = 1 << 8
SERVER_STATUS_NO_BACKSLASH_ESCAPES: Final = 1 << 9
SERVER_STATUS_METADATA_CHANGED: Final = 1 << 10
SERVER_QUERY_WAS_SLOW: Final = 1 << 11
SERVER_PS_OUT_PARAMS: Final = 1 << 12
SERVER_STATUS_IN_TRANS_READONLY: Final = 1 << 13
SERVER_SESSION_STATE_CHANGED: Final = 1 << 14

SERVER_STATUS_ANSI_QUOTES: Final = 1 << 15  # MariaDB's
SESSION_STATUS: Final = (
    SERVER_STATUS_ANSI_QUOTES
    | SERVER_STATUS_IN_TRANS
    | SERVER_STATUS_AUTOCOMMIT
    | SERVER_STATUS_NO_BACKSLASH_ESCAPES
    | SERVER_STATUS_IN_TRANS_READONLY
)
"""Flags that speak of the session; the others speak of one statement."""

# Commands (enum_server_command in my_command.h) ------------------------------------------------------------

COM_SLEEP: Final = 0x00
COM_QUIT: Final = 0x01
COM_INIT_DB: Final = 0x02
COM_QUERY: Final = 0x03
COM_FIELD_LIST: Final = 0x04
COM_CREATE_DB: Final = 0x05
COM_DROP_DB: Final = 0x06
COM_REFRESH: Final = 0x07
COM_SHUTDOWN: Final = 0x08
COM_STATISTICS: Final = 0x09
COM_PROCESS_INFO: Final = 0x0A
COM_CONNECT: Final = 0x0B
COM_PROCESS_KILL: Final = 0x0C
COM_DEBUG: Final = 0x0D
COM_PING: Final = 0x0E
COM_TIME: Final = 0x0F
COM_DELAYED_INSERT: Final = 0x10
COM_CHANGE_USER: Final = 0x11
COM_BINLOG_DUMP: Final = 0x12
COM_TABLE_DUMP: Final = 0x13
COM_CONNECT_OUT: Final = 0x14
COM_REGISTER_REPLICA: Final = 0x15
COM_STMT_PREPARE: Final = 0x16
COM_STMT_EXECUTE: Final = 0x17
COM_STMT_SEND_LONG_DATA: Final = 0x18
COM_STMT_CLOSE: Final = 0x19
COM_STMT_RESET: Final = 0x1A
COM_SET_OPTION: Final = 0x1B
COM_STMT_FETCH: Final = 0x1C
COM_DAEMON: Final = 0x1D
COM_BINLOG_DUMP_GTID: Final = 0x1E
COM_RESET_CONNECTION: Final = 0x1F
COM_CLONE: Final = 0x20
COM_SUBSCRIBE_GROUP_REPLICATION_STREAM: Final = 0x21
COM_STMT_BULK_EXECUTE: Final = 0xFA  # MariaDB

# Kinds of session-state blocks in an OK packet (enum_session_state_type in mysql_com.h) --------------------

SESSION_TRACK_SYSTEM_VARIABLES: Final = 0
SESSION_TRACK_SCHEMA: Final = 1
SESSION_TRACK_STATE_CHANGE: Final = 2
SESSION_TRACK_GTIDS: Final = 3  # MariaDB sends last_gtid as a system variable instead
SESSION_TRACK_TRANSACTION_CHARACTERISTICS: Final = 4
SESSION_TRACK_TRANSACTION_STATE: Final = 5
