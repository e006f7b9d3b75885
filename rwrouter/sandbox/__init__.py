"""Real servers on this machine, for trying rwrouter and for its tests."""
