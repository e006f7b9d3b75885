"""The monitor's connection to one server: PyMySQL's arguments, and what is made of its errors."""

import pymysql
import pytest

from rwrouter.cluster.monitor import Probe
from rwrouter.cluster.probes import Failure
from rwrouter.config.model import ServerTlsSettings, Settings, TlsMode
from rwrouter.model import Address
from rwrouter.process.link import Link, _failure, tls_arguments


@pytest.mark.parametrize(
    ("tls", "arguments"),
    [
        (ServerTlsSettings(mode=TlsMode.DISABLED), {"ssl_disabled": True}),
        (ServerTlsSettings(), {}),
        (ServerTlsSettings(mode=TlsMode.REQUIRED), {"ssl": {"check_hostname": False, "verify_mode": "none"}}),
        (
            ServerTlsSettings(mode=TlsMode.VERIFY_CA, ca="ca.pem"),
            {"ssl_ca": "ca.pem", "ssl_verify_cert": True, "ssl_verify_identity": False},
        ),
        (
            ServerTlsSettings(mode=TlsMode.VERIFY_IDENTITY, ca="ca.pem", certificate="c", key="k"),
            {
                "ssl_cert": "c",
                "ssl_key": "k",
                "ssl_ca": "ca.pem",
                "ssl_verify_cert": True,
                "ssl_verify_identity": True,
            },
        ),
    ],
)
def test_tls_modes_mean_what_mysql_means(tls: ServerTlsSettings, arguments: dict[str, object]) -> None:
    """Each of the five modes has its arguments for PyMySQL."""
    assert tls_arguments(tls) == arguments


def error(code: int, message: str, inner: BaseException | None = None) -> Exception:
    """Return a PyMySQL error as it comes out of a connection, *inner* being what was caught."""
    exc = pymysql.OperationalError(code, message)
    exc.__context__ = inner
    return exc


@pytest.mark.parametrize(
    ("exc", "failure"),
    [
        (
            error(2003, "Can't…", ConnectionRefusedError(111, "Connection refused")),
            Failure("connection refused", 2003),
        ),
        (
            error(2013, "Lost…", TimeoutError("timed out")),
            Failure("no answer within 2 s", 2013, is_timeout=True),
        ),
        (error(2013, "Lost connection"), Failure("Lost connection (2013)", 2013)),
        (error(1045, "Access denied"), Failure("Access denied (1045)", 1045)),
        (IndexError("index out of range"), Failure("index out of range")),
        (AssertionError(), Failure("AssertionError")),
    ],
)
def test_failures_are_said_as_a_person_would(exc: Exception, failure: Failure) -> None:
    """The cause, not the library's wrapping of it; any exception has a text."""
    assert _failure(exc, 2.0) == failure


class Opened:
    """A connection that answers nothing, and remembers whether it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        """Remember."""
        self.is_closed = True


@pytest.mark.parametrize("can_connect", [True, False])
def test_a_probe_over_a_new_connection(can_connect: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one takes the place of the old; where none can be made, the old one still tells how the server is."""
    old, new = Opened(), Opened()

    def connect(**_: object) -> Opened:
        if can_connect:
            return new
        raise pymysql.OperationalError(2003, "name or service not known")

    monkeypatch.setattr(pymysql, "connect", connect)
    asked: list[object] = []

    def look(link: Link, _: Probe) -> Failure:
        asked.append(link._connection)
        return Failure("no", 1)

    monkeypatch.setattr(Link, "_round", look)
    link = Link(Settings())
    probe = Probe("db1", Address("db1", 3306), frozenset(), 1.0, anew=True)
    link._connection, link._address = old, probe.address  # type: ignore[assignment]
    link.ask(probe)
    assert asked == [new if can_connect else old]
    assert old.is_closed is can_connect
