"""The monitor's connection to one server, by PyMySQL: asks what a probe asks; what goes wrong is an answer, too."""

import contextlib
from typing import TYPE_CHECKING, Any, Final

import pymysql
from pymysql.constants import CR
from pymysql.cursors import DictCursor

from rwrouter.cluster import probes
from rwrouter.cluster.monitor import Probe
from rwrouter.cluster.probes import Answer, Failure, Greeted, Refusal, Row
from rwrouter.cluster.trial import Trial
from rwrouter.config.model import ServerTlsSettings, Settings, TlsMode

if TYPE_CHECKING:
    from pymysql.connections import Connection

    from rwrouter.model import Address

PROGRAM: Final = "rwrouter monitor"  # how it is called in the servers' process lists
LOST: Final = frozenset({CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, 0})  # 0: PyMySQL saw a closed socket


class Link:
    """The connection to one server, made when it is needed. Lives in one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Connection[DictCursor] | None = None
        self._address: Address | None = None  # where it is connected to

    def ask(self, probe: Probe) -> Answer | Failure:
        """Ask the questions of *probe*. A failure is an answer, not an exception.

        If a connection from before turns out to be lost, it is made again: the server may have ended it.
        """
        if probe.anew and self._connection is not None and probe.address == self._address:
            self._renew(probe)
        had_connection = self._connection is not None
        failure = self._round(probe)
        if (
            had_connection
            and isinstance(failure, Failure)
            and failure.code in LOST
            and not failure.is_timeout
        ):
            return self._round(probe)
        return failure

    def try_variables(self, probe: Probe) -> tuple[str, tuple[str, ...]]:
        """Return the greeted version, and the session variables that a client can set.

        Raises OSError and pymysql.MySQLError. The connection is of no other use afterwards.
        """
        connection = self._connected(probe)
        trial = Trial()
        for name in trial.candidates(_query(connection, trial.names_sql)):
            try:
                _query(connection, trial.sql(name))
            except pymysql.MySQLError as exc:
                code = _code(exc)
                if code in LOST:
                    raise
                trial.tell(name, code)
            else:
                trial.tell(name, 0)
        return _greeted(connection).version, tuple(trial.settable)

    def close(self) -> None:
        """Drop the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, pymysql.MySQLError):
                connection.close()

    def _renew(self, probe: Probe) -> None:
        """Connect anew; go on with the old connection where that fails: the server may be well, and its name not."""
        old, self._connection = self._connection, None
        try:
            self._connected(probe)
        except Exception:  # noqa: BLE001  whatever a broken server makes PyMySQL raise
            self._connection = old
        else:
            if old is not None:
                with contextlib.suppress(OSError, pymysql.MySQLError):
                    old.close()

    def _round(self, probe: Probe) -> Answer | Failure:
        answers: dict[probes.Topic, list[Row] | Refusal] = {}
        try:
            connection = self._connected(probe)
            greeted = _greeted(connection)
            heartbeat = self._settings.monitor.heartbeat
            for question in probes.questions(greeted.version, probe.topics, heartbeat):
                try:
                    answers[question.topic] = _query(connection, question.sql)
                except pymysql.MySQLError as exc:
                    code = _code(exc)
                    if code < 1000 or 2000 <= code < 3000:  # not the server's word: the connection is lost
                        raise
                    answers[question.topic] = Refusal(code, str(exc.args[1]))
        except Exception as exc:  # noqa: BLE001  whatever a broken server makes PyMySQL raise is an answer
            self.close()
            return _failure(exc, probe.timeout)
        return Answer(greeted, answers)

    def _connected(self, probe: Probe) -> "Connection[DictCursor]":
        if probe.address != self._address:
            self.close()
        if self._connection is None:
            self._address = probe.address
            account = self._settings.monitor
            self._connection = pymysql.connect(
                host=probe.address.host,
                port=probe.address.port,
                user=account.user,
                password=account.password.get_secret_value(),
                connect_timeout=probe.timeout,
                read_timeout=probe.timeout,
                write_timeout=probe.timeout,
                autocommit=True,
                charset="utf8mb4",
                init_command="SET time_zone = '+00:00'",  # times are read as UTC
                program_name=PROGRAM,
                cursorclass=DictCursor,
                **tls_arguments(self._settings.server_tls),
            )
        return self._connection


def tls_arguments(tls: ServerTlsSettings) -> dict[str, Any]:
    """Return what PyMySQL takes for *tls*. Without arguments it does what PREFERRED means."""
    if tls.mode is TlsMode.DISABLED:
        return {"ssl_disabled": True}
    arguments: dict[str, Any] = {}
    if tls.certificate:
        arguments |= {"ssl_cert": tls.certificate, "ssl_key": tls.key or None}
    if tls.mode is TlsMode.REQUIRED:
        arguments["ssl"] = {"check_hostname": False, "verify_mode": "none"}
    elif tls.mode in {TlsMode.VERIFY_CA, TlsMode.VERIFY_IDENTITY}:
        arguments |= {
            "ssl_ca": tls.ca or None,
            "ssl_verify_cert": True,
            "ssl_verify_identity": tls.mode is TlsMode.VERIFY_IDENTITY,
        }
    return arguments


def _query(connection: "Connection[DictCursor]", sql: str) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _greeted(connection: "Connection[DictCursor]") -> Greeted:
    known: Any = connection  # its stubs leave these out
    return Greeted(
        version=str(known.server_version),
        capabilities=int(known.server_capabilities),
        collation=int(known.server_language),
    )


def _code(exc: Exception) -> int:
    return exc.args[0] if exc.args and isinstance(exc.args[0], int) else 0


def _failure(exc: Exception, timeout: float) -> Failure:
    """Return *exc* as a person would say it."""
    code = _code(exc)
    inner = getattr(exc, "original_exception", None) or exc.__context__ or exc
    if isinstance(inner, TimeoutError):
        return Failure(f"no answer within {timeout:g} s", code, is_timeout=True)
    if isinstance(inner, OSError) and inner.strerror:
        return Failure(inner.strerror.lower(), code)
    text = str(exc.args[1]) if code and len(exc.args) > 1 else str(exc) or type(exc).__name__
    return Failure(f"{text} ({code})" if code else text, code)
