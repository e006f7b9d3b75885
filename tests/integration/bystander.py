"""Another session, which must notice nothing of what a test does to the router or its servers."""

import contextlib
import threading
from collections.abc import Iterator

from rwrouter.sandbox.router import RouterProcess
from tests.integration.harness import eventually


@contextlib.contextmanager
def bystander(
    process: RouterProcess, *, timeout: float = 30, pause: float = 0, writes: bool = False
) -> Iterator[None]:
    """Run statements on a session of its own all the while: each has to be answered right, within *timeout* seconds.

    *pause*: seconds between two rounds. *writes*: with a statement that goes to the primary in each.
    """
    stop = threading.Event()
    trouble: list[str] = []
    ran = 0

    def work() -> None:
        nonlocal ran
        try:
            with process.connect(read_timeout=timeout) as connection, connection.cursor() as cursor:
                while not stop.wait(pause):
                    cursor.execute("SELECT %s", (ran,))
                    assert cursor.fetchone() == (ran,)
                    if writes:
                        cursor.execute("DO 1")
                    ran += 1
        except Exception as exc:  # noqa: BLE001 - told by the assertion below
            trouble.append(repr(exc))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        eventually(lambda: ran > 0 or bool(trouble), "the other session works")
        yield
    finally:
        stop.set()
        thread.join()
    assert not trouble, trouble
    assert ran > 0
