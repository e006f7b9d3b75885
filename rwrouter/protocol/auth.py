"""Challenge and proof of each authentication plugin, and what is known of a user's password.

Sources: pages "Native Authentication" (page_protocol_connection_phase_authentication_methods_native_password_
authentication) and "Caching_sha2_password information" (page_caching_sha2_authentication_exchanges);
sql/auth/sha2_password_common.cc and sql/auth/password.c of MySQL. With H a hash, `stage1 = H(password)` and
`stage2 = H(stage1)`: a server stores stage2, a client proves that it knows stage1, and the proof shows stage1
to whoever knows stage2. That is how a router can log in to servers in a client's name.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1, sha256
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from rwrouter.errors import NotSupported

NATIVE: Final = "mysql_native_password"
CACHING: Final = "caching_sha2_password"
SHA256: Final = "sha256_password"
CLEAR: Final = "mysql_clear_password"
ED25519: Final = "client_ed25519"

RSA_BITS: Final = 2048  # what MySQL makes for itself (sha256_password_auto_generate_rsa_keys)
MAX_PASSWORD: Final = 2048  # bytes: far above what any server stores, so that comparing stays cheap

OTHERS: Final = {
    "parsec": "MariaDB's parsec is not known to the router",
    "mysql_old_password": "its hashes from before MySQL 4.1 are not safe",
    "dialog": "PAM dialogues can't be replayed on other servers",
    "auth_gssapi_client": "a Kerberos ticket is for one server",
    "authentication_kerberos_client": "a Kerberos ticket is for one server",
    "authentication_ldap_sasl_client": "SASL proofs are for one server",
    "authentication_oci_client": "its signatures are for one server",
    "authentication_webauthn_client": "a person has to touch a device",
    "authentication_fido_client": "a person has to touch a device",
}


def not_supported(plugin: str, user: str) -> NotSupported:
    """Return the error for a plugin that the router can't play towards a server: says what to use instead."""
    why = OTHERS.get(plugin, "the router does not know it")
    return NotSupported(
        f"user '{user}' needs authentication plugin '{plugin}' on the server, which rwrouter can't: {why}; "
        "use caching_sha2_password or mysql_native_password for this user"
    )


# What is known of a password -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """What is known of a user's password: itself, or what a fast proof showed of it.

    *sha1* is enough for mysql_native_password, *sha256* for the fast path of caching_sha2_password.
    """

    password: bytes | None = None
    sha1: bytes | None = None
    sha256: bytes | None = None

    @classmethod
    def of(cls, password: bytes) -> "Secret":
        """Return the secret that knows all."""
        return cls(password, sha1(password).digest(), sha256(password).digest())  # noqa: S324 - the protocol's

    @property
    def is_empty(self) -> bool:
        """True: the user has no password."""
        return self.password == b""

    def __repr__(self) -> str:
        known = [name for name in ("password", "sha1", "sha256") if getattr(self, name) is not None]
        return f"<Secret: {', '.join(known) or 'nothing'}>"


@dataclass(frozen=True, slots=True, repr=False)
class Verifier:
    """What must be known to check a client's fast proof: no password, and no way to log in elsewhere.

    *is_final*: it comes from the configuration, so a wrong password is refused here; else it was learned
    from an earlier login, and a client that fails against it is asked for the password, which may be new.
    """

    native: bytes | None = (
        None  # SHA1(SHA1(password)): mysql.user's authentication_string of mysql_native_password
    )
    caching: bytes | None = None  # SHA256(SHA256(password)): what caching_sha2_password keeps in its cache
    is_empty: bool = False  # the user has no password
    is_final: bool = False

    def checks(self, plugin: str) -> bool:
        """Return whether a fast proof of *plugin* can be checked."""
        known = {NATIVE: self.native, CACHING: self.caching}.get(plugin)
        return self.is_empty or known is not None

    def accepts(self, password: bytes) -> bool:
        """Return whether it is this password."""
        if self.is_empty or not password:
            return self.is_empty and not password
        if self.caching is not None:
            return hmac.compare_digest(sha256(sha256(password).digest()).digest(), self.caching)
        return self.native is not None and hmac.compare_digest(_sha1(_sha1(password)), self.native)

    def __repr__(self) -> str:
        known = [name for name in ("native", "caching") if getattr(self, name) is not None]
        return f"<Verifier: {', '.join(known) or 'nothing'}{', final' if self.is_final else ''}>"


def verifier_of(password: bytes, *, is_final: bool = False) -> Verifier:
    """Return what checks the fast proofs of *password*."""
    native, caching = _sha1(_sha1(password)), sha256(sha256(password).digest()).digest()
    return Verifier(native, caching, is_empty=not password, is_final=is_final)


# Fast proofs -----------------------------------------------------------------------------------------------


def _sha1(data: bytes) -> bytes:
    return sha1(data).digest()  # noqa: S324 - the protocol's


def _xor(left: bytes, right: bytes) -> bytes:
    """Return the exclusive or; *right* is repeated as often as needed."""
    repeated = right * (len(left) // len(right) + 1)
    return bytes(a ^ b for a, b in zip(left, repeated, strict=False))


def native_proof(stage1: bytes, scramble: bytes) -> bytes:
    """SHA1(password) XOR SHA1(scramble + SHA1(SHA1(password)))."""
    return _xor(stage1, _sha1(scramble + _sha1(stage1)))


def native_secret(proof: bytes, scramble: bytes, verifier: Verifier) -> Secret | None:
    """Return what the proof shows, None where it is wrong."""
    if verifier.native is None or verifier.is_empty or len(proof) != 20:
        return None
    stage1 = _xor(proof, _sha1(scramble + verifier.native))
    return Secret(sha1=stage1) if hmac.compare_digest(_sha1(stage1), verifier.native) else None


def caching_proof(stage1: bytes, scramble: bytes) -> bytes:
    """SHA256(password) XOR SHA256(SHA256(SHA256(password)) + scramble)."""
    return _xor(stage1, sha256(sha256(stage1).digest() + scramble).digest())


def caching_secret(proof: bytes, scramble: bytes, verifier: Verifier) -> Secret | None:
    """Return what the proof shows, None where it is wrong."""
    if verifier.caching is None or verifier.is_empty or len(proof) != 32:
        return None
    stage1 = _xor(proof, sha256(verifier.caching + scramble).digest())
    return Secret(sha256=stage1) if hmac.compare_digest(sha256(stage1).digest(), verifier.caching) else None


FAST_PROOFS: Final[dict[str, tuple[int, Callable[[bytes, bytes, Verifier], Secret | None]]]] = {
    NATIVE: (20, native_secret),  # plugin -> size of its proof, and how to check it
    CACHING: (32, caching_secret),
}


def fast_proof(plugin: str, secret: Secret, scramble: bytes) -> bytes | None:
    """Return the client's first answer under *plugin*: b"" without password, None: too little is known."""
    if plugin not in FAST_PROOFS:
        return None
    if secret.is_empty:
        return b""
    if plugin == NATIVE:
        return None if secret.sha1 is None else native_proof(secret.sha1, scramble)
    return None if secret.sha256 is None else caching_proof(secret.sha256, scramble)


# The password itself, over RSA -----------------------------------------------------------------------------

_OAEP: Final = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - the protocol's


class RsaKey:
    """The key pair that clients without TLS encrypt their password for. Made once, by the master.

    Decrypting takes under a millisecond for 2048 bits, and clients do it once per verifier that is not known.
    """

    __slots__ = ("_key", "public_pem")

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        self.public_pem: bytes = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @classmethod
    def generate(cls, bits: int = RSA_BITS) -> "RsaKey":
        """Make a new pair: takes tens of milliseconds."""
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=bits))

    @classmethod
    def load(cls, pem: bytes) -> "RsaKey":
        """Return the pair from its private half. Raises ValueError."""
        key = serialization.load_pem_private_key(pem, None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("no RSA key")  # noqa: TRY004 - the bytes are wrong, not their type
        return cls(key)

    def private_pem(self) -> bytes:
        """Return the private half, for the channel to a worker: never for a log."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def size(self) -> int:
        """Bytes of an encrypted password."""
        return self._key.key_size // 8

    def decrypt(self, data: bytes, scramble: bytes) -> bytes | None:
        """Return the password, None where *data* was not made for this key and scramble."""
        try:
            plain = _xor(self._key.decrypt(data, _OAEP), scramble)
        except ValueError:
            return None
        return plain[:-1] if plain.endswith(b"\0") else None


def encrypt_password(password: bytes, scramble: bytes, public_pem: bytes) -> bytes:
    """Return the password for the holder of the private key. Raises ValueError: useless key or password."""
    try:
        key = serialization.load_pem_public_key(public_pem)
    except UnsupportedAlgorithm as exc:
        raise ValueError(str(exc)) from exc
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("no RSA key")  # noqa: TRY004 - the bytes are wrong, not their type
    room = key.key_size // 8 - 2 * hashes.SHA1.digest_size - 3  # OAEP's own bytes, and the NUL
    if len(password) > room:
        raise ValueError(f"the password is longer than the {room} bytes that fit the key; use TLS")
    return key.encrypt(_xor(password + b"\0", scramble), _OAEP)
