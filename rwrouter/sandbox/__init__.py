"""Real servers on this machine, for trying rwrouter and for its tests."""

from rwrouter.sandbox.binaries import NoBinary, SandboxError
from rwrouter.sandbox.cluster import Sandbox, Topology
from rwrouter.sandbox.server import SandboxServer

__all__ = ["NoBinary", "Sandbox", "SandboxError", "SandboxServer", "Topology"]
