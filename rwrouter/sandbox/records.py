"""Where a statement ran, from the servers' own records: the truth beside a router's counters.

MySQL keeps a ring of statements in performance_schema ("Performance Schema Statement Event Tables"), MariaDB
has its general log in the table mysql.general_log. A sandbox has both on. Give each statement a marker, such
as `SELECT 1 /* 7f3a */`; a comment reaches the server from every client but mysql, which needs `--comments`.
"""

from typing import TypeVar

from rwrouter.model import Flavor
from rwrouter.sandbox.access import Access, ReplicationSet

AccessT = TypeVar("AccessT", bound=Access)
OWN = "rwrouter-records"  # a comment in our own questions, which have the marker in them too

# A statement stands in events_statements_current from its start; it enters the history after its reply was
# sent (sql/sql_parse.cc, dispatch_command), so a client can be here before it. The union has it in any case.
MYSQL = """
SELECT thread_id, event_id, event_name, sql_text /* rwrouter-records */
  FROM performance_schema.events_statements_history_long WHERE sql_text LIKE %s
UNION
SELECT thread_id, event_id, event_name, sql_text
  FROM performance_schema.events_statements_current WHERE sql_text LIKE %s
ORDER BY thread_id, event_id
"""
APPLIERS = """
SELECT thread_id FROM performance_schema.threads
 WHERE name LIKE 'thread/sql/replica%' OR name LIKE 'thread/sql/slave%'
"""
MARIADB = """
SELECT command_type, CONVERT(argument USING utf8mb4) AS argument /* rwrouter-records */
  FROM mysql.general_log WHERE command_type IN ('Query', 'Execute') AND argument LIKE %s
ORDER BY event_time
"""


def statements(server: Access, marker: str) -> list[str]:
    """Return the statements with *marker* in them that *server* ran for clients, one entry per execution.

    Preparing counts as no execution. What replication applied does not count either.
    """
    pattern = f"%{marker}%"
    if server.flavor is Flavor.MARIADB:
        texts = [row["argument"] for row in server.query(MARIADB, (pattern,))]
    else:
        appliers = {row["thread_id"] for row in _lowered(server.query(APPLIERS))}
        texts = [
            row["sql_text"]
            for row in _lowered(server.query(MYSQL, (pattern, pattern)))
            if row["thread_id"] not in appliers and not row["event_name"].endswith("/Prepare")
        ]
    return [text for text in texts if OWN not in text]


def ran_on(servers: ReplicationSet[AccessT], marker: str) -> list[str]:
    """Return the names of the servers that ran statements with *marker*: one entry per execution."""
    return [
        server.name for server in servers.servers if server.is_running for _ in statements(server, marker)
    ]


def _lowered(rows: list[dict[str, object]]) -> list[dict[str, str]]:
    # MySQL names performance_schema's columns in capitals where the query does not.
    return [{name.lower(): str(value) for name, value in row.items()} for row in rows]
