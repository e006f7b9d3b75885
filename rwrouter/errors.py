"""The one hierarchy of errors. Each class knows its MySQL code, SQLSTATE and what becomes of the session.

Where a MySQL server would say it, the server's number is used, because drivers act on it. What only a router
can say has a number from 9600 to 9699: below 32768 because PyMySQL reads the number signed, never 2000-2999
or 5000-5999, which belong to client libraries.
"""

from typing import ClassVar

MESSAGE_LIMIT = 512  # bytes: MYSQL_ERRMSG_SIZE in include/mysql_com.h


class RouterError(Exception):
    """Base of all errors of the router's own."""

    code: ClassVar[int] = 9600
    sqlstate: ClassVar[str] = "HY000"
    retryable: ClassVar[bool] = False  # True: nothing has run
    ends_session: ClassVar[bool] = False


class ConfigError(RouterError):
    """A setting is wrong. The message names key, line, what is wrong and what to write."""

    code = 9601


class ProtocolError(RouterError):
    """Bytes that are not MySQL's protocol."""

    code = 1835
    ends_session = True


class ClientProtocolError(ProtocolError):
    """The client broke the protocol: it gets an ERR packet, and the connection ends."""


class HandshakeError(ClientProtocolError):
    """The client broke the protocol before it was logged in (ER_HANDSHAKE_ERROR)."""

    code = 1043
    sqlstate = "08S01"


class PacketTooLarge(ClientProtocolError):
    """A packet above the limit (ER_NET_PACKET_TOO_LARGE)."""

    code = 1153
    sqlstate = "08S01"


class BackendProtocolError(ProtocolError):
    """A server broke the protocol: that connection is dropped, never pooled again."""

    code = 9602
    sqlstate = "08S01"


class AccessDenied(RouterError):
    """Wrong user or password: one text for both (ER_ACCESS_DENIED_ERROR)."""

    code = 1045
    sqlstate = "28000"
    ends_session = True


class AuthNotSupported(RouterError):
    """No authentication plugin that both sides know settles it (ER_NOT_SUPPORTED_AUTH_MODE)."""

    code = 1251
    sqlstate = "08004"
    ends_session = True


class InsecureTransport(RouterError):
    """TLS is required, and the client did without (ER_SECURE_TRANSPORT_REQUIRED)."""

    code = 3159
    ends_session = True


class TooManyConnections(RouterError):
    """The router's own limit (ER_CON_COUNT_ERROR)."""

    code = 1040
    sqlstate = "08004"
    ends_session = True


class ShuttingDown(RouterError):
    """The router ends (ER_SERVER_SHUTDOWN)."""

    code = 1053
    sqlstate = "08S01"
    ends_session = True


class NoServer(RouterError):
    """Nobody may answer: the message says why, server by server."""

    code = 9603
    sqlstate = "08S01"
    retryable = True


class PrimaryTimeout(RouterError):
    """No primary took a statement in time: says for how long it was held, and why."""

    code = 9610
    retryable = True


class TooManyHeld(RouterError):
    """As many statements wait for a primary as may."""

    code = 9611
    retryable = True


class PoolTimeout(RouterError):
    """Waited too long for a connection: says for how long, behind how many."""

    code = 9604
    sqlstate = "08004"
    retryable = True


class BackendLost(RouterError):
    """A server went away in mid-statement: says whether the statement may have run."""

    code = 9605
    sqlstate = "08S01"
    ends_session = True


class NotSupported(RouterError):
    """Known and refused: says what to use instead."""

    code = 9606
    sqlstate = "0A000"


class CountsLost(RouterError):
    """FOUND_ROWS() or ROW_COUNT() of the statement before can't be told any more: says why."""

    code = 9609


class Denied(RouterError):
    """A rule of the router's configuration denies the statement, in its own words."""

    code = 9608
    sqlstate = "42000"


class BadRequest(RouterError):
    """A RWROUTER statement that is not understood, or stands among others: says what there is."""

    code = 9607
    sqlstate = "42000"
    retryable = True
