"""TLS on memory buffers: a layer that either side of a connection can put on in mid-stream.

The upgrade comes after the SSLRequest packet, and its first bytes may arrive with it; so TLS is a value here
that takes and gives bytes, and no property of a socket. A layer was measured at 28 KB
(OpenSSL 3.0, 500 pairs), where a loop's own TLS takes hundreds.
"""

import ssl
from typing import Final, Literal

READ_SIZE: Final = 2**16  # bytes asked of OpenSSL at once: four records

Mode = Literal["DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"]  # as MySQL names them


TlsContext = ssl.SSLContext
"""What a layer is made with; made by the two functions below."""


class TlsLayer:
    """One connection's TLS: encrypted bytes in by `receive`, out by `data_to_send`; plain ones the other way.

    Nothing raises: *error* says what went wrong, *closed* that the other side has ended TLS in order. What is
    given to `send` before the handshake is done goes out after it. Holds at most one partial record.
    """

    __slots__ = ("_incoming", "_outgoing", "_pending", "_tls", "closed", "error", "handshake_done")

    def __init__(
        self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._pending = bytearray()  # plain bytes that wait for the end of the handshake
        self.handshake_done = False
        self.error: str | None = None
        self.closed = False
        if not server_side:
            self._shake_hands()

    def receive(self, data: bytes) -> bytes:
        """Take encrypted bytes, cut anywhere, and return the plain ones that they complete."""
        if self.error is not None or self.closed:
            return b""
        self._incoming.write(data)
        if not self.handshake_done and not self._shake_hands():
            return b""
        plain = bytearray()
        try:
            while piece := self._tls.read(READ_SIZE):
                plain += piece
            self.closed = True  # an empty read: close_notify
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        except ssl.SSLError as exc:
            self.error = _reason(exc)
        return bytes(plain)

    def send(self, plaintext: bytes) -> None:
        """Encrypt *plaintext* for `data_to_send`."""
        if not plaintext or self.error is not None:
            return
        if not self.handshake_done:
            self._pending += plaintext
            return
        try:
            self._tls.write(plaintext)  # whole: a memory buffer takes any amount
        except ssl.SSLError as exc:
            self.error = _reason(exc)

    def data_to_send(self) -> bytes:
        """Return the encrypted bytes that are due, an alert after an error among them."""
        return self._outgoing.read()

    def close(self) -> None:
        """End TLS in order: close_notify is due then."""
        if not self.handshake_done or self.error is not None:
            return
        try:
            self._tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        except ssl.SSLError as exc:
            self.error = _reason(exc)

    @property
    def version(self) -> str | None:
        """As OpenSSL names it, such as "TLSv1.3"; None before the handshake is done."""
        return self._tls.version() if self.handshake_done else None

    @property
    def cipher(self) -> str | None:
        """OpenSSL's name of the cipher; None before the handshake is done."""
        cipher = self._tls.cipher() if self.handshake_done else None
        return cipher[0] if cipher else None

    def _shake_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLCertVerificationError as exc:
            self.error = f"the certificate is not trusted: {exc.verify_message}"
            return False
        except ssl.SSLError as exc:
            self.error = _reason(exc)
            return False
        self.handshake_done = True
        pending = bytes(self._pending)
        self._pending.clear()
        self.send(pending)
        return True


def _reason(exc: ssl.SSLError) -> str:
    """Return OpenSSL's reason as words."""
    return (exc.reason or str(exc)).replace("_", " ").lower()


def context_towards_clients(certificate: str, key: str, ca: str = "") -> ssl.SSLContext:
    """Return what serves clients with the PEM files *certificate* and *key* ("": both in one).

    With *ca*, clients that speak TLS must show a certificate of one of these authorities. Raises OSError
    (ssl.SSLError is one) for files that are not there or do not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key or None)
    if ca:
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def context_towards_servers(
    mode: Mode, ca: str = "", certificate: str = "", key: str = ""
) -> ssl.SSLContext | None:
    """Return what speaks to servers in this mode; None when DISABLED.

    PREFERRED and REQUIRED encrypt and trust any certificate; VERIFY_CA trusts the authorities in *ca* ("":
    the system's); VERIFY_IDENTITY wants the server's name in the certificate too, so `TlsLayer` needs its
    *server_hostname*. *certificate* and *key* show who we are. Raises as `context_towards_clients` does.
    """
    if mode == "DISABLED":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = mode == "VERIFY_IDENTITY"
    if mode in ("VERIFY_CA", "VERIFY_IDENTITY"):
        if ca:
            context.load_verify_locations(ca)
        else:
            context.load_default_certs()
    else:
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context
