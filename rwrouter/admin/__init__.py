"""The HTTP side: status as JSON, health checks."""
