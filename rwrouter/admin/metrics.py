"""Metrics in Prometheus' text format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats)."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from rwrouter import __version__
from rwrouter.admin.status import StatusSource, trouble
from rwrouter.counters import ServerCounters, WorkerCounters, gauges, help_of
from rwrouter.model import State

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# A gauge must not be a counter's name without "_total": OpenMetrics takes them for one.
_RENAMED: Final = {
    "clients": "clients_connected",
    "connections": "connections_open",
    "bytes_in": "received_bytes_total",
    "bytes_out": "sent_bytes_total",
}

Labels = dict[str, str]
Sample = tuple[Labels, float]


def metric_name(prefix: str, counter: str, is_gauge: bool) -> str:
    """Return the name of *counter*: counters end in _total, bytes name their unit."""
    name = _RENAMED.get(counter, counter)
    return f"{prefix}_{name}" if is_gauge or name.endswith("_total") else f"{prefix}_{name}_total"


def build_metrics(source: StatusSource) -> str:
    """Return all metrics as text."""
    lines: list[str] = []
    for name, kind, text, samples in _families(source):
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _families(source: StatusSource) -> Iterator[tuple[str, str, str, list[Sample]]]:
    """Yield name, type, help text and samples of each metric."""
    snapshot, workers, counted = source.snapshot(), source.workers(), source.server_counters()
    yield "rwrouter_info", "gauge", "always 1; the version as a label", [({"version": __version__}, 1)]
    yield "rwrouter_uptime_seconds", "gauge", "time since the start", [({}, source.uptime())]
    yield "rwrouter_ready", "gauge", "1 if a client could be served now", [({}, not trouble(source))]
    yield "rwrouter_generation", "gauge", "number of the topology", [({}, snapshot.generation)]
    yield "rwrouter_alarms", "gauge", "alarms raised now", [({}, len(snapshot.alarms))]
    yield (
        "rwrouter_worker_ready",
        "gauge",
        "1 if the worker takes clients",
        [({"worker": str(worker.index)}, worker.is_ready) for worker in workers],
    )
    open_now = gauges(WorkerCounters)
    for counter, text in help_of(WorkerCounters).items():
        is_gauge = counter in open_now
        yield (
            metric_name("rwrouter", counter, is_gauge),
            "gauge" if is_gauge else "counter",
            text,
            [({"worker": str(worker.index)}, getattr(worker.counters, counter)) for worker in workers],
        )
    servers = snapshot.servers
    yield (
        "rwrouter_server_info",
        "gauge",
        "always 1; what the server is as labels",
        [
            (
                {
                    "server": server.name,
                    "address": str(server.address),
                    "role": server.role.value,
                    "state": server.state.value,
                    "flavor": server.flavor.value,
                    "version": server.version,
                },
                1,
            )
            for server in servers
        ],
    )
    yield (
        "rwrouter_server_up",
        "gauge",
        "1 if the server takes new work",
        [({"server": server.name}, server.state is State.UP) for server in servers],
    )
    yield (
        "rwrouter_server_weight",
        "gauge",
        "share of the reads that it may have",
        [({"server": server.name}, server.weight) for server in servers],
    )
    yield (
        "rwrouter_server_lag_seconds",
        "gauge",
        "how far it is behind; absent while that is unknown",
        [
            ({"server": server.name}, server.lag.seconds)
            for server in servers
            if server.lag.seconds is not None
        ],
    )
    open_now = gauges(ServerCounters)
    rows = {server.name: asdict(counted.get(server.name, ServerCounters())) for server in servers}
    for counter, text in help_of(ServerCounters).items():
        is_gauge = counter in open_now
        yield (
            metric_name("rwrouter_server", counter, is_gauge),
            "gauge" if is_gauge else "counter",
            text,
            [({"server": name}, row[counter]) for name, row in rows.items()],
        )


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
