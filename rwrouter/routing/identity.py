"""Whether the server that answers a new connection is the one that the monitor looks at.

An address may lead to another server a moment later: a name, a virtual address or a container's port has moved. Until
the monitor has seen that, its word of the old one's role, lag and position would be believed of the new one, and reads
and writes go astray. So a connection proves who its server is in the SET that it is made ready with anyway: an
assignment of what is set there in any case, whose value is an impossible one on another server. That costs no round
trip. (The error is ER_WRONG_VALUE_FOR_VAR, and names both; NULL would count as 0: seen on MySQL 9.7, MariaDB 10.11.)
"""

from typing import Final

from rwrouter.model import Flavor, Server

_VARIABLE: Final = b"session_track_schema"
_IMPOSSIBLE: Final = 7  # for a variable that is 0 or 1
_WRONG_VALUE: Final = (1231).to_bytes(2, "little")


def proof(server: Server) -> bytes:
    """Return an assignment that fails on any server but *server*; b"" where it is not known who that is."""
    if server.flavor is Flavor.MARIADB:
        condition = f"@@GLOBAL.server_id={server.server_id}" if server.server_id else ""
    else:
        condition = f"@@GLOBAL.server_uuid='{server.uuid}'" if server.uuid else ""
    return b"@@SESSION." + _VARIABLE + f"=IF({condition},1,{_IMPOSSIBLE})".encode() if condition else b""


def is_refuted(error: bytes) -> bool:
    """Tell whether the SET with a proof in it failed with *error*, an ERR packet, because of the proof."""
    return error[1:3] == _WRONG_VALUE and _VARIABLE in error and b"'%d'" % _IMPOSSIBLE in error
