"""The status as one JSON object."""

import json

import pytest

from rwrouter.admin.status import Worker, build_status, trouble
from rwrouter.model import Snapshot
from tests.unit.admin.sources import SERVERS, FixedSource


def test_the_status_is_json_and_tells_each_server() -> None:
    """Unknown lag is null and never 0; shares of reads add up to 1."""
    status = json.loads(json.dumps(build_status(FixedSource())))
    assert [
        (s["name"], s["role"], s["state"], s["lag_seconds"], s["share_of_reads"]) for s in status["servers"]
    ] == [
        ("db1", "primary", "up", None, 0.25),
        ("db2", "replica", "up", 0.25, 0.75),
        ("db3", "replica", "down", None, 0.0),
    ]
    assert status["servers"][2]["address"] == "[::1]:3306"
    assert (status["clients"], status["totals"]["statements"]) == (3, 11)
    assert (status["ready"], status["problem"], status["generation"]) == (True, "", 7)
    assert [(w["index"], w["pid"], w["ready"]) for w in status["workers"]] == [
        (0, 100, True),
        (1, None, False),
    ]


def test_there_is_no_share_before_the_first_read() -> None:
    """Nothing divided by nothing is not zero."""
    status = build_status(FixedSource(counted={}))
    assert [server["share_of_reads"] for server in status["servers"]] == [None, None, None]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (FixedSource(), ""),
        (FixedSource(seen=Snapshot()), "no server has been reached yet"),
        (FixedSource(processes=[Worker(0, None, is_ready=False)]), "no worker is ready yet"),
        (FixedSource(seen=Snapshot(servers=SERVERS, problem="two primaries")), "two primaries"),
    ],
)
def test_trouble(source: FixedSource, reason: str) -> None:
    """Clients can be served if the cluster has no problem and one worker takes them."""
    assert trouble(source) == reason
