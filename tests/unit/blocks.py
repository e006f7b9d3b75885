"""Session-state blocks of OK packets."""


def variable(name: bytes, value: bytes) -> bytes:
    """Build a session-state block of one variable."""
    body = bytes((len(name),)) + name + bytes((len(value),)) + value
    return b"\x00" + bytes((len(body),)) + body
