"""MySQL on the wire: bytes in, events out. No socket, no clock, no loop."""
