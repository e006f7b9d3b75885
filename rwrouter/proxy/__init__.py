"""The edge of the hot path: callbacks that move bytes and ask the core."""
