"""Proofs and verifiers of each plugin, and what they show of a password."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pymysql import _auth as pymysql_auth

from rwrouter.protocol import auth
from rwrouter.protocol.auth import CACHING, NATIVE, RsaKey, Secret, Verifier, verifier_of

SCRAMBLE = bytes(range(1, 21))
KEY = RsaKey.generate(1024)

passwords = st.one_of(st.binary(min_size=1, max_size=60), st.text(min_size=1, max_size=20).map(str.encode))


@given(passwords)
def test_proofs_are_those_of_a_client_in_the_field(password: bytes) -> None:
    """PyMySQL computes the same proofs from the same password and scramble."""
    secret = Secret.of(password)
    assert auth.fast_proof(NATIVE, secret, SCRAMBLE) == pymysql_auth.scramble_native_password(
        password, SCRAMBLE
    )
    assert auth.fast_proof(CACHING, secret, SCRAMBLE) == pymysql_auth.scramble_caching_sha2(
        password, SCRAMBLE
    )


@pytest.mark.parametrize("plugin", [NATIVE, CACHING])
@given(passwords, passwords)
def test_a_right_proof_shows_a_secret_that_proves_again(plugin: str, password: bytes, other: bytes) -> None:
    """What a fast proof shows is good for that plugin under any scramble; a wrong one shows nothing."""
    _, check = auth.FAST_PROOFS[plugin]
    proof = auth.fast_proof(plugin, Secret.of(password), SCRAMBLE)
    assert proof is not None
    shown = check(proof, SCRAMBLE, verifier_of(password))
    assert shown is not None
    assert shown.password is None
    again = SCRAMBLE[::-1]
    assert auth.fast_proof(plugin, shown, again) == auth.fast_proof(plugin, Secret.of(password), again)
    if other != password:
        assert check(proof, SCRAMBLE, verifier_of(other)) is None
    assert check(proof[1:], SCRAMBLE, verifier_of(password)) is None
    assert check(proof, again, verifier_of(password)) is None


@given(st.one_of(passwords, st.just(b"")), st.one_of(passwords, st.just(b"")))
def test_a_verifier_accepts_its_own_password_alone(password: bytes, other: bytes) -> None:
    """With all or one of the hashes, and without a password."""
    whole = verifier_of(password)
    for verifier in (whole, Verifier(native=whole.native, is_empty=whole.is_empty)):
        assert verifier.accepts(password)
        assert verifier.accepts(other) == (other == password)


def test_what_is_not_known_proves_nothing() -> None:
    """No hash, no proof; a plugin without fast proof has none; an empty password proves itself by silence."""
    assert auth.fast_proof(NATIVE, Secret(sha256=bytes(32)), SCRAMBLE) is None
    assert auth.fast_proof(CACHING, Secret(sha1=bytes(20)), SCRAMBLE) is None
    assert auth.fast_proof(auth.SHA256, Secret.of(b"x"), SCRAMBLE) is None
    assert auth.fast_proof(CACHING, Secret.of(b""), SCRAMBLE) == b""
    assert not Verifier().accepts(b"x")
    assert auth.native_secret(bytes(20), SCRAMBLE, Verifier()) is None
    assert auth.caching_secret(bytes(32), SCRAMBLE, verifier_of(b"")) is None


def test_no_secret_shows_in_a_repr() -> None:
    """What lands in logs and tracebacks says what is known, never what it is."""
    secret, verifier = Secret.of(b"hunter2"), verifier_of(b"hunter2", is_final=True)
    assert repr(secret) == "<Secret: password, sha1, sha256>"
    assert repr(verifier) == "<Verifier: native, caching, final>"
    assert repr(Secret()) == "<Secret: nothing>"
    assert "PRIVATE" not in repr(KEY)


@given(st.binary(max_size=80))
def test_a_password_comes_through_rsa(password: bytes) -> None:
    """Both directions; another scramble or key gives nothing or not the password."""
    data = auth.encrypt_password(password, SCRAMBLE, KEY.public_pem)
    assert len(data) == KEY.size
    assert KEY.decrypt(data, SCRAMBLE) == password
    assert KEY.decrypt(data, SCRAMBLE[::-1]) != password
    assert KEY.decrypt(data[1:], SCRAMBLE) is None


def test_a_client_in_the_field_encrypts_the_same_way() -> None:
    """What PyMySQL encrypts, the router decrypts."""
    assert (
        KEY.decrypt(pymysql_auth.sha2_rsa_encrypt(b"hunter2", SCRAMBLE, KEY.public_pem), SCRAMBLE)
        == b"hunter2"
    )


@given(st.binary(max_size=300))
def test_garbage_decrypts_to_nothing(data: bytes) -> None:
    """No bytes make the key raise."""
    assert KEY.decrypt(data, SCRAMBLE) is None


def test_the_key_pair_can_be_handed_on() -> None:
    """A worker that gets the private half has the same pair."""
    again = RsaKey.load(KEY.private_pem())
    assert again.public_pem == KEY.public_pem


ED25519 = ed25519.Ed25519PrivateKey.generate().public_key()


@pytest.mark.parametrize(
    ("password", "pem", "why"),
    [
        (b"x" * 200, KEY.public_pem, "longer than the 85 bytes"),
        (b"x", b"garbage", "PEM"),
        (b"x", ED25519.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "no RSA key"),
    ],
)
def test_what_does_not_fit_the_key_is_refused(password: bytes, pem: bytes, why: str) -> None:
    """A server's key may be anything; ValueError says so."""
    with pytest.raises(ValueError, match=why):
        auth.encrypt_password(password, SCRAMBLE, pem)


@pytest.mark.parametrize("plugin", [*auth.OTHERS, "made_up"])
def test_a_plugin_that_is_not_supported_is_named(plugin: str) -> None:
    """The error says which plugin, which user and what to do."""
    message = str(auth.not_supported(plugin, "app"))
    assert plugin in message
    assert "'app'" in message
    assert "use caching_sha2_password" in message
