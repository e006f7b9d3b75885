"""rwrouter check."""

from pathlib import Path

from click.testing import CliRunner

from rwrouter.cli.check import check


def test_problems_are_printed_with_file_and_line_and_end_with_1(tmp_path: Path) -> None:
    """An editor can jump to each problem; a script sees the status."""
    file = tmp_path / "rwrouter.toml"
    file.write_text('lisen = 1\nservers = [{ address = "db1" }]\nmonitor.user = "m"\nworkers = 0\n')
    result = CliRunner().invoke(check, [str(file)])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f'{file}:1: lisen: unknown key; did you mean "listen"?',
        f'{file}:4: workers: 0 is no number of workers: write one from 1 to 1024, or "auto"',
    ]


def test_a_good_file_ends_with_0(tmp_path: Path) -> None:
    """No news but the good one."""
    file = tmp_path / "rwrouter.toml"
    file.write_text('servers = [{ address = "db1" }]\nmonitor.user = "m"\n')
    result = CliRunner().invoke(check, [str(file)])
    assert (result.exit_code, result.output) == (0, f"{file}: no problems\n")
