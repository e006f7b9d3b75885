"""MariaDB's client_ed25519: the proof that a password is known, without a hash that would be worth stealing.

MariaDB's plugin/auth_ed25519 (crypto_sign.c): Ed25519 of RFC 8032, but for the key's seed: the secret scalar and the
prefix are the halves of SHA512(password), where the RFC hashes a random seed of 32 bytes. So libraries that take a seed
alone can't sign so; PyNaCl has the operations on the curve.
"""

from hashlib import sha512
from typing import Final

NONCE_SIZE: Final = 32


def proof(password: bytes, nonce: bytes) -> bytes:
    """Return the signature of *nonce*, 64 bytes. Raises ImportError where PyNaCl is not installed."""
    from nacl import bindings  # an extra: most installations have no such accounts

    digest = sha512(password).digest()
    scalar = _clamped(digest[:32])
    public = bindings.crypto_scalarmult_ed25519_base_noclamp(scalar)
    secret_nonce = bindings.crypto_core_ed25519_scalar_reduce(sha512(digest[32:] + nonce).digest())
    point = bindings.crypto_scalarmult_ed25519_base_noclamp(secret_nonce)
    challenge = bindings.crypto_core_ed25519_scalar_reduce(sha512(point + public + nonce).digest())
    product = bindings.crypto_core_ed25519_scalar_mul(challenge, scalar)
    return point + bindings.crypto_core_ed25519_scalar_add(product, secret_nonce)


def _clamped(scalar: bytes) -> bytes:
    """Return *scalar* as RFC 8032, 5.1.5, sets its lowest and highest bits."""
    return bytes((scalar[0] & 248,)) + scalar[1:31] + bytes((scalar[31] & 63 | 64,))
