"""The certificate that the router makes for itself."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rwrouter.config.certificate import VALID_FOR, ensure_certificate, expires, self_signed


def test_a_certificate_is_made_once(tmp_path: Path) -> None:
    """The second start finds what the first one made, readable by its owner alone."""
    files = ensure_certificate(tmp_path / "state")
    before = files.certificate.read_bytes(), files.key.read_bytes()
    assert ensure_certificate(tmp_path / "state") == files
    assert (files.certificate.read_bytes(), files.key.read_bytes()) == before
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in files.key.parent.iterdir()) == ["certificate.pem", "key.pem"]


def test_certificate_and_key_fit(tmp_path: Path) -> None:
    """OpenSSL takes the pair, and the certificate as its own authority."""
    files = ensure_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.certificate)


def test_it_lasts_ten_years(tmp_path: Path) -> None:
    """The end of its validity can be read, for the metric on expiry."""
    now = datetime(2030, 1, 2, tzinfo=UTC)
    certificate, _ = self_signed(now, ["db.example.com", "10.0.0.7"])
    (tmp_path / "certificate.pem").write_bytes(certificate)
    assert expires(tmp_path / "certificate.pem") == now + VALID_FOR
    assert timedelta(days=3600) < VALID_FOR
    with pytest.raises(OSError, match="missing"):
        expires(tmp_path / "missing.pem")
