"""The scoreboard."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rwrouter.counters import ServerCounters, WorkerCounters
from rwrouter.process.scoreboard import Scoreboard


@pytest.fixture
def board() -> Iterator[Scoreboard]:
    board = Scoreboard.create(workers=3, servers_max=4)
    yield board
    board.close()
    os.close(board.fd)


def test_sums_are_over_workers(board: Scoreboard) -> None:
    """Each worker writes its own slot, and the sums are over all slots."""
    for worker in range(3):
        board.slot(worker).write(
            WorkerCounters(clients=worker, statements=10), [ServerCounters(reads=1), ServerCounters(writes=2)]
        )
    assert board.total() == WorkerCounters(clients=3, statements=30)
    assert board.worker(2) == WorkerCounters(clients=2, statements=10)
    assert [board.server(index).reads for index in range(4)] == [3, 0, 0, 0]
    assert board.server(1) == ServerCounters(writes=6)


def test_what_one_mapping_writes_another_reads(board: Scoreboard) -> None:
    """The memory is the file's, not the mapping's."""
    other = Scoreboard.attach(board.fd)
    other.slot(1).write(WorkerCounters(clients=7), [])
    assert (other.workers, other.servers_max) == (3, 4)
    assert board.total().clients == 7
    other.close()
    assert board.total().clients == 7


def test_what_one_process_writes_another_reads(board: Scoreboard) -> None:
    """A child that inherits the file writes where its parent reads, and the numbers outlive it."""
    program = (
        "import sys\n"
        "from rwrouter.counters import ServerCounters, WorkerCounters\n"
        "from rwrouter.process.scoreboard import Scoreboard\n"
        "slot = Scoreboard.attach(int(sys.argv[1])).slot(2)\n"
        "slot.write(WorkerCounters(statements=2**40), [ServerCounters(bytes_in=5)])\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(board.fd)],
        pass_fds=[board.fd],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert board.worker(2).statements == 1 << 40
    assert board.server(0).bytes_in == 5


def test_no_total_falls_when_a_worker_is_replaced(board: Scoreboard) -> None:
    """What the old worker had open is gone; what it had done stays, and the new one counts on from there."""
    board.slot(0).write(WorkerCounters(clients=4, statements=9), [ServerCounters(connections=2, reads=8)])
    board.retire(0)
    assert board.total() == WorkerCounters(statements=9)
    assert board.server(0) == ServerCounters(reads=8)
    worker, servers = board.slot(0).resumed()
    worker.statements += 1
    servers[0].reads += 1
    board.slot(0).write(worker, servers)
    assert (board.total().statements, board.server(0).reads) == (10, 9)


def test_a_negative_number_does_not_stop_the_others(board: Scoreboard) -> None:
    """A miscounted number wraps around: the write itself never fails."""
    board.slot(0).write(WorkerCounters(clients=-1, statements=5), [])
    assert board.worker(0).statements == 5


def test_what_is_outside_is_refused(board: Scoreboard) -> None:
    """No index reaches into a neighbour's slot."""
    with pytest.raises(IndexError, match="worker 3 of 3"):
        board.slot(3)
    with pytest.raises(IndexError, match="server 4, and place for 4"):
        board.server(4)
    with pytest.raises(IndexError, match="5 servers, and place for 4"):
        board.slot(0).write(WorkerCounters(), [ServerCounters()] * 5)


def test_another_file_is_no_scoreboard() -> None:
    """A worker of another version notices before it writes."""
    fd = os.memfd_create("other", 0)
    os.truncate(fd, 4096)
    with pytest.raises(ValueError, match="is no scoreboard of this version"):
        Scoreboard.attach(fd)
    os.close(fd)
