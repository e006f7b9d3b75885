"""MariaDB's ed25519 proof, checked by another library."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.protocol.ed25519 import proof

SECRET_KEY = base64.b64decode("ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY=")
"""What MariaDB's documentation gives for ed25519_password('secret')."""


@given(st.binary(min_size=32, max_size=32))
def test_servers_accept_the_proof(nonce: bytes) -> None:
    """It verifies under the key that MariaDB keeps for the password."""
    Ed25519PublicKey.from_public_bytes(SECRET_KEY).verify(proof(b"secret", nonce), nonce)
