"""What servers answer before a switchover, and how it is read."""

from collections.abc import Mapping

import pytest

from rwrouter.cluster.probes import Row
from rwrouter.cluster.standing import Credentials, Query, queries, read_standing
from rwrouter.model import Address, Flavor

ADDRESS = Address("db1", 3306)


def variables(**values: str) -> list[Row]:
    """Rows of SHOW GLOBAL VARIABLES."""
    given = {
        "version": "8.4.0",
        "server_uuid": "u1",
        "read_only": "OFF",
        "super_read_only": "OFF",
        "gtid_mode": "ON",
        "gtid_executed": "00000000-0000-0000-0000-000000000001:1-5",
        "log_bin": "ON",
        "log_replica_updates": "ON",
    } | values
    return [{"Variable_name": name, "Value": value} for name, value in given.items()]


STATUS: Row = {
    "Channel_Name": "",
    "Source_Host": "db9",
    "Source_Port": 3307,
    "Source_UUID": "u9",
    "Source_Server_Id": 9,
    "Replica_IO_Running": "Yes",
    "Replica_SQL_Running": "Yes",
    "Seconds_Behind_Source": 0,
    "Last_SQL_Error": "",
    "Last_IO_Error": "",
    "Auto_Position": 1,
    "Source_SSL_Allowed": "Yes",
}


def test_a_replica_of_mysql() -> None:
    """Its source, how it finds its place, and with which account."""
    credentials: Row = {"channel": "", "user": "repl", "password": "s3cret", "public_key": 1, "retry": 7}
    one = read_standing(
        "db1",
        ADDRESS,
        {Query.VARIABLES: variables(), Query.STATUS: [STATUS], Query.CREDENTIALS: [credentials]},
    )
    assert (one.flavor, one.version, one.has_gtids, one.has_binlog) == (Flavor.MYSQL, (8, 4, 0), True, True)
    assert [channel.source_host for channel in one.channels] == ["db9"]
    assert one.positions_itself == one.encrypted == frozenset({""})
    assert one.credentials == {"": Credentials("repl", "s3cret", gets_public_key=True, retry=7)}
    assert "s3cret" not in repr(one)


def test_how_replicas_reach_it() -> None:
    """By what it reports, else by the configured address."""
    plain = read_standing("db1", ADDRESS, {Query.VARIABLES: variables(report_host="", report_port="0")})
    told = read_standing("db1", ADDRESS, {Query.VARIABLES: variables(report_host="inner", report_port="1")})
    assert (plain.host, plain.port) == ("db1", 3306)
    assert (told.host, told.port) == ("inner", 1)


def test_mariadb() -> None:
    """Its own words: no GTID mode, the position of its binary log, log_slave_updates."""
    rows = variables(version="10.11.6-MariaDB", gtid_binlog_pos="0-1-9", log_slave_updates="OFF")
    rows = [row for row in rows if row["Variable_name"] not in {"gtid_mode", "log_replica_updates"}]
    status = {
        name.replace("Source", "Master").replace("Replica", "Slave"): value for name, value in STATUS.items()
    }
    status |= {"Using_Gtid": "Slave_Pos", "Connection_name": ""}
    one = read_standing("db1", ADDRESS, {Query.VARIABLES: rows, Query.STATUS: [status]})
    assert (one.flavor, one.has_gtids, one.has_binlog, str(one.executed)) == (
        Flavor.MARIADB,
        True,
        False,
        "0-1-9",
    )
    assert one.positions_itself == frozenset({""})
    assert one.credentials is None
    assert set(queries("5.5.5-10.11.6-MariaDB")) == {Query.VARIABLES, Query.STATUS}


@pytest.mark.parametrize("answers", [{}, {Query.VARIABLES: variables(log_bin="ON", gtid_executed="?:?")}])
def test_nonsense_is_told(answers: Mapping[Query, list[Row]]) -> None:
    """The error names the server."""
    with pytest.raises(ValueError, match="db1 answers as no"):
        read_standing("db1", ADDRESS, answers)


def test_the_words_of_old_servers() -> None:
    """SHOW SLAVE STATUS before 8.0.22."""
    assert queries("8.0.21")[Query.STATUS] == "SHOW SLAVE STATUS"
    assert queries("8.4.0")[Query.STATUS] == "SHOW REPLICA STATUS"
