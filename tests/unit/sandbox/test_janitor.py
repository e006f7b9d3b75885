"""What is cleaned up, and that nothing else is."""

import subprocess
from pathlib import Path

from rwrouter.sandbox.janitor import Janitor, work


def _sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)


def test_work_kills_what_it_was_told_and_no_more(tmp_path: Path) -> None:
    """Named processes are killed and named directories removed; unknown lines and dead ids are no error."""
    named, other = _sleeper(), _sleeper()
    gone = tmp_path / "gone"
    (gone / "inner").mkdir(parents=True)
    kept = tmp_path / "kept"
    kept.mkdir()
    try:
        work([f"process {named.pid}\n", f"directory {gone}\n", "nonsense\n", f"directory {tmp_path}/none\n"])
        assert named.wait(10) == -9
        assert other.poll() is None
        assert not gone.exists()
        assert kept.exists()
    finally:
        other.kill()
        other.wait()


def test_the_process_works_when_its_owner_closes(tmp_path: Path) -> None:
    """Closing returns after the clean-up; closing again does nothing."""
    named = _sleeper()
    inside = tmp_path / "inside"
    inside.mkdir()
    janitor = Janitor()
    janitor.process(named.pid)
    janitor.directory(inside)
    janitor.close()
    assert named.wait(10) == -9
    assert not inside.exists()
    janitor.close()
