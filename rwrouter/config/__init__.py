"""Settings: their names, defaults, units, and where they come from."""
