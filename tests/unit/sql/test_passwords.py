"""New passwords in statements."""

import pytest

from rwrouter.sql.passwords import new_password


@pytest.mark.parametrize(
    ("sql", "password"),
    [
        ("SET PASSWORD = 'new'", b"new"),
        ('set password="n\\"ew"', b'n"ew'),
        ("SET PASSWORD = 'it''s' REPLACE 'old'", b"it's"),
        ("SET PASSWORD FOR app = 'new'", b"new"),
        ("SET PASSWORD FOR 'app'@'%' = 'new'", b"new"),
        ("SET PASSWORD FOR CURRENT_USER() = 'new'", b"new"),
        ("SET PASSWORD FOR 'other'@'%' = 'new'", None),
        ("SET PASSWORD = PASSWORD('new')", b"new"),
        ("ALTER USER USER() IDENTIFIED BY 'new'", b"new"),
        ("ALTER USER app IDENTIFIED WITH caching_sha2_password BY 'new'", b"new"),
        ("ALTER USER app@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('new')", b"new"),
        ("ALTER USER other IDENTIFIED BY 'new'", None),
        ("ALTER USER app ACCOUNT LOCK", None),
        ("SET PASSWORD TO RANDOM", None),
        ("GRANT SELECT ON *.* TO app", None),
    ],
)
def test_own_password(sql: str, password: bytes | None) -> None:
    """Of one's own account only, in each form."""
    assert new_password(sql.encode(), "app") == password
