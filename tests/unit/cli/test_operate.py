"""rwrouter drain, enable, disable, weight."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from rwrouter.admin.server import AdminServer
from rwrouter.cli.main import main
from rwrouter.model import State
from tests.unit.admin.sources import FixedSource


@pytest.fixture
def source() -> FixedSource:
    """What the router of `admin` is."""
    return FixedSource()


@pytest.fixture
def admin(source: FixedSource) -> Iterator[str]:
    """Run the HTTP side of a router; give its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = AdminServer(source, None, source)
    try:
        yield str(asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", 0), loop).result(10))
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_each_command_says_what_has_become_of_the_server(admin: str, source: FixedSource) -> None:
    """State and weight, as the router has them now."""
    for arguments, said in (
        (("drain", "db2"), "db2: draining, weight 100\n"),
        (("weight", "db2", "5"), "db2: draining, weight 5\n"),
        (("enable", "db2"), "db2: up, weight 5\n"),
        (("disable", "db2"), "db2: disabled, weight 5\n"),
    ):
        done = CliRunner().invoke(main, [*arguments, "--admin", admin])
        assert (done.exit_code, done.output) == (0, said)
    assert source.seen.server("db2").state is State.DISABLED


def test_an_unknown_server_is_told_who_there_is(admin: str) -> None:
    """Exit status 1, and the names."""
    done = CliRunner().invoke(main, ["drain", "db9", "--admin", admin])
    assert done.exit_code == 1
    assert "there are db1, db2, db3" in done.output


def test_a_weight_below_zero_is_a_number_that_is_too_small() -> None:
    """Not an option that does not exist."""
    done = CliRunner().invoke(main, ["weight", "db2", "-1"])
    assert (done.exit_code, "-1 is not in the range" in done.output) == (2, True)


@pytest.mark.parametrize(
    "arguments", [("weight", "db2", "10001"), ("drain",), ("drain", "db2", "--admin", "x")]
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """Exit status 2, without asking anybody."""
    assert CliRunner().invoke(main, list(arguments)).exit_code == 2
