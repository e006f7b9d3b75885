"""Where a statement goes: sessions, consistency, balancing, decisions."""
