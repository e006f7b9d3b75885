"""Who a server is, proved by an assignment."""

from dataclasses import replace

from rwrouter.model import Address, Flavor, Server
from rwrouter.routing.identity import is_refuted, proof

SERVER = Server("db1", Address("db1", 3306))
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


def test_the_proof_names_what_one_server_alone_has() -> None:
    """server_uuid on MySQL, server_id on MariaDB; nothing before the monitor has learnt it."""
    assert proof(replace(SERVER, uuid=UUID, server_id=7)) == (
        b"@@SESSION.session_track_schema=IF(@@GLOBAL.server_uuid='" + UUID.encode() + b"',1,7)"
    )
    assert proof(replace(SERVER, flavor=Flavor.MARIADB, server_id=7)) == (
        b"@@SESSION.session_track_schema=IF(@@GLOBAL.server_id=7,1,7)"
    )
    assert proof(SERVER) == proof(replace(SERVER, flavor=Flavor.MARIADB)) == b""


def test_only_the_proof_refutes() -> None:
    """A session's own variable that is refused says nothing of who the server is."""
    wrong = b"\xff\xcf\x04#42000Variable '%s' can't be set to the value of '%s'"
    assert is_refuted(wrong % (b"session_track_schema", b"7"))
    assert not is_refuted(wrong % (b"sql_mode", b"7"))
    assert not is_refuted(wrong % (b"session_track_schema", b"0"))
    assert not is_refuted(b"\xff\x12\x05#HY000Unknown or incorrect time zone: 'session_track_schema' '7'")
