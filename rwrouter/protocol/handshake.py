"""The connection phase, as the edge needs it: two machines and their events.

The theory is in phase.py, each machine in a file of its own.
"""

from rwrouter.protocol.client_handshake import ClientHandshake
from rwrouter.protocol.phase import Event, Login, Ready, Refused, StartTls, State
from rwrouter.protocol.server_handshake import (
    SUPPORTED,
    ServerHandshake,
    denial_text,
    offered_capabilities,
)

__all__ = [
    "SUPPORTED",
    "ClientHandshake",
    "Event",
    "Login",
    "Ready",
    "Refused",
    "ServerHandshake",
    "StartTls",
    "State",
    "denial_text",
    "offered_capabilities",
]
