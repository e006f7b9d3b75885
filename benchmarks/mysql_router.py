"""MySQL Router, which splits reads and writes only with what is written here: metadata, a state, a keyring.

`access_mode=auto` is refused with a list of servers: it wants the metadata of an InnoDB ReplicaSet, which MySQL Shell
writes. Here are those of its tables and columns that MySQL Router 9.7 reads (its own log shows the statements), as
plain tables, in the form of metadata version 2.1.
"""

import json
import subprocess
from pathlib import Path
from typing import Final

from rwrouter.sandbox import Sandbox

ROUTER_ID: Final = 1
METADATA: Final = "mysql_innodb_cluster_metadata"
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

LOADER: Final = "lib64/ld-linux-x86-64.so.2"  # of a root file system
LIBRARIES: Final = (
    "usr/lib/mysqlrouter",
    "usr/lib/mysql-router",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
)


def program(root: Path, name: str = "mysqlrouter") -> list[str]:
    """Return the command that runs *name* of a root file system by its own loader: it needs no chroot."""
    libraries = ":".join(str(root / folder) for folder in LIBRARIES)
    return [str((root / LOADER).resolve()), "--library-path", libraries, str(root / "usr/bin" / name)]


def write_metadata(sandbox: Sandbox, cluster: str) -> None:
    """Write the metadata of *sandbox* on its primary, anew, and return when all its servers have them."""
    run = sandbox.primary.query
    run(f"DROP DATABASE IF EXISTS {METADATA}")
    run(f"CREATE DATABASE {METADATA}")
    for table in TABLES:
        run(f"CREATE TABLE {METADATA}.{table}")
    run(f"INSERT INTO {METADATA}.schema_version VALUES (2, 1, 0)")
    run(f"INSERT INTO {METADATA}.v2_this_instance VALUES ('{cluster}', 1, '{cluster}', 'ar')")
    run(f"INSERT INTO {METADATA}.v2_ar_clusters VALUES ('{cluster}', '{cluster}')")
    run(f"INSERT INTO {METADATA}.v2_routers (router_id, cluster_id) VALUES ({ROUTER_ID}, '{cluster}')")
    for number, server in enumerate(sandbox.servers, 1):
        uuid = server.value("SELECT @@server_uuid")
        role = "PRIMARY" if number == 1 else "SECONDARY"
        run(f"INSERT INTO {METADATA}.v2_ar_members VALUES ('{cluster}', '{uuid}', {number}, '{role}', 1)")
        run(
            f"INSERT INTO {METADATA}.v2_instances VALUES ({number}, '{cluster}', '{server.name}', '{uuid}', "
            f"'{server.address}', '{server.address}', '{server.host}:0', '{{}}')"
        )
    sandbox.wait_in_sync()


def write_state(folder: Path, sandbox: Sandbox, cluster: str) -> None:
    """Write the file of `dynamic_state` into *folder*: where the metadata are."""
    addresses = [f"mysql://{server.address}" for server in sandbox.servers]
    state = {"group-replication-id": cluster, "cluster-metadata-servers": addresses, "view-id": 1}
    (folder / "state.json").write_text(json.dumps({"metadata-cache": state, "version": "1.0.0"}))


def write_keyring(folder: Path, command: list[str], user: str, password: str) -> None:
    """Write `keyring` and `keyring.key` into *folder*. *command* runs mysqlrouter_keyring."""
    key, store = f"--master-key-file={folder}/keyring.key", f"{folder}/keyring"
    for arguments in (["init", key, store], ["set", key, store, user, "password", password]):
        subprocess.run([*command, *arguments], check=True, stdout=subprocess.DEVNULL)
