"""Metrics as Prometheus reads them."""

import re

from rwrouter.admin.metrics import build_metrics, metric_name
from rwrouter.counters import SERVER_COUNTERS, WORKER_COUNTERS
from rwrouter.model import Address, Server, Snapshot
from tests.unit.admin.sources import FixedSource

SAMPLE = re.compile(r'([a-z_]+)(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?[0-9.e+-]+)')


def test_every_line_is_in_the_format_and_each_metric_has_type_and_help() -> None:
    """Each sample follows its own HELP and TYPE; counters end in _total, and only they."""
    types: dict[str, str] = {}
    for line in build_metrics(FixedSource()).splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, "a metric stands in one place"
            assert name.endswith("_total") == (kind == "counter"), name
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] in types
    assert len(types) >= len(WORKER_COUNTERS) + len(SERVER_COUNTERS)
    for name, kind in types.items():
        assert kind == "counter" or f"{name}_total" not in types, "OpenMetrics takes the two for one"


def test_samples() -> None:
    """Numbers stand with the worker or server that they belong to; an unknown lag has no sample."""
    lines = build_metrics(FixedSource()).splitlines()
    assert 'rwrouter_statements_total{worker="0"} 10' in lines
    assert 'rwrouter_server_reads_total{server="db2"} 3' in lines
    assert 'rwrouter_server_connections_open{server="db2"} 4' in lines
    assert [line for line in lines if line.startswith("rwrouter_server_lag_seconds")] == [
        'rwrouter_server_lag_seconds{server="db2"} 0.25'
    ]
    assert "rwrouter_uptime_seconds 12.5" in lines
    assert "rwrouter_ready 1" in lines


def test_labels_are_escaped() -> None:
    """A name can't end its own quotes."""
    odd = Server('a"b\\c\nd', Address("h", 1))
    text = build_metrics(FixedSource(seen=Snapshot(servers=(odd,))))
    assert 'rwrouter_server_up{server="a\\"b\\\\c\\nd"} 0' in text.splitlines()


def test_names() -> None:
    """Units and _total stand where Prometheus' naming page wants them."""
    assert metric_name("rwrouter", "bytes_in", is_gauge=False) == "rwrouter_received_bytes_total"
    assert metric_name("rwrouter", "clients", is_gauge=True) == "rwrouter_clients_connected"
    assert metric_name("rwrouter", "clients_total", is_gauge=False) == "rwrouter_clients_total"
