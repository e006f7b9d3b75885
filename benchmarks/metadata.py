"""What MySQL Router must find in the servers before it splits reads and writes.

`access_mode=auto` is refused with a list of servers: it wants the metadata of an InnoDB ReplicaSet, which
MySQL Shell writes. Here are those of its tables and columns that MySQL Router 9.7 reads (its own log shows
the statements), as plain tables, in the form of metadata version 2.1.
"""

from typing import Final

from servers import Servers

CLUSTER: Final = "bench"
ROUTER_ID: Final = 1
SCHEMA: Final = "mysql_innodb_cluster_metadata"
TABLES: Final = (
    "schema_version (major INT, minor INT, patch INT)",
    "v2_this_instance (cluster_id CHAR(36), instance_id INT, cluster_name TEXT, cluster_type TEXT)",
    "v2_ar_clusters (cluster_id CHAR(36), cluster_name TEXT)",
    "v2_ar_members (cluster_id CHAR(36), member_id TEXT, instance_id INT, member_role TEXT, view_id INT)",
    """v2_instances (instance_id INT, cluster_id CHAR(36), label TEXT, mysql_server_uuid TEXT,
    address TEXT, endpoint TEXT, xendpoint TEXT, attributes JSON)""",
    """v2_routers (router_id INT, cluster_id CHAR(36), address TEXT, router_name TEXT, product_name TEXT,
    version TEXT, last_check_in TIMESTAMP NULL, attributes JSON, options JSON)""",
)


def write(servers: Servers) -> None:
    """Write the metadata of *servers* on the primary, and return when all have them."""
    run = servers.sandbox.primary.query
    run(f"CREATE DATABASE {SCHEMA}")
    for table in TABLES:
        run(f"CREATE TABLE {SCHEMA}.{table}")
    run(f"INSERT INTO {SCHEMA}.schema_version VALUES (2, 1, 0)")
    run(f"INSERT INTO {SCHEMA}.v2_this_instance VALUES ('{CLUSTER}', 1, '{CLUSTER}', 'ar')")
    run(f"INSERT INTO {SCHEMA}.v2_ar_clusters VALUES ('{CLUSTER}', '{CLUSTER}')")
    run(f"INSERT INTO {SCHEMA}.v2_routers (router_id, cluster_id) VALUES ({ROUTER_ID}, '{CLUSTER}')")
    for number, server in enumerate(servers.sandbox.servers, 1):
        uuid = server.value("SELECT @@server_uuid")
        role = "PRIMARY" if number == 1 else "SECONDARY"
        run(f"INSERT INTO {SCHEMA}.v2_ar_members VALUES ('{CLUSTER}', '{uuid}', {number}, '{role}', 1)")
        run(
            f"INSERT INTO {SCHEMA}.v2_instances VALUES ({number}, '{CLUSTER}', '{server.name}', '{uuid}', "
            f"'{server.address}', '{server.address}', '{server.host}:0', '{{}}')"
        )
    servers.sandbox.wait_in_sync()
