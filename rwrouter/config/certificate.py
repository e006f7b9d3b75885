"""The certificate that the router makes for itself where it is given none."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_FOR: Final = timedelta(days=3650)  # MySQL's own automatic certificates last as long
NAMES: Final = ("localhost", "127.0.0.1", "::1")


class CertificateFiles(NamedTuple):
    """Where a certificate and its private key are, as PEM files."""

    certificate: Path
    key: Path


def self_signed(now: datetime, names: Sequence[str] = NAMES) -> tuple[bytes, bytes]:
    """Return a new certificate and its private key, as PEM: ECDSA P-256, for these host names and addresses.

    P-256, because a signature costs a tenth of RSA's at every connection of a storm.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rwrouter self-signed certificate")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(text) for text in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def ensure_certificate(directory: Path, names: Sequence[str] = NAMES) -> CertificateFiles:
    """Return the certificate in *directory*, made now if it is not there. Raises OSError.

    The key can be read by its owner alone. Each file is replaced whole.
    """
    files = CertificateFiles(directory / "certificate.pem", directory / "key.pem")
    if files.certificate.exists() and files.key.exists():
        return files
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = self_signed(datetime.now(UTC), names)
    _write(files.key, key)
    _write(files.certificate, certificate)
    return files


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    part.replace(path)


def expires(certificate: Path) -> datetime:
    """Return until when a PEM certificate is valid. Raises OSError, ValueError."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
