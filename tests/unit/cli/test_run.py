"""rwrouter run."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rwrouter.cli.run import run, server_option, settings_from
from rwrouter.config.model import Settings
from rwrouter.process import master

NEEDED = ["--server", "db1", "--monitor-user", "m"]


def test_a_server_may_have_weight_and_name() -> None:
    """What stands after the address is read by name."""
    assert server_option("db2:3307,weight=50,name=two") == {
        "address": "db2:3307",
        "weight": 50,
        "name": "two",
    }


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (
            ["--server", "db1,wight=5"],
            2,
            'Error: --server: "wight=5" in "db1,wight=5": write weight=N, name=NAME or zone=ZONE after the address',
        ),
        (
            ["--server", "db1,weight=x"],
            2,
            'Error: --server: "weight=x" in "db1,weight=x": a weight is a whole number, such as weight=50',
        ),
        ([*NEEDED, "--listen", "x"], 1, '--listen: "x" has no port: write "x:6450"'),
        (
            [*NEEDED, "--workers", "x"],
            1,
            '--workers: "x" is no number of workers: write one from 1 to 1024, or "auto"',
        ),
        ([*NEEDED, "--admin", "x:y"], 1, '--admin: "x:y": "y" is no port; write a number from 0 to 65535'),
        (
            [*NEEDED, "--config", "/nowhere.toml"],
            1,
            "/nowhere.toml: can't be read: No such file or directory",
        ),
        ([*NEEDED, "--address-map", "db1"], 2, '--address-map: "db1": write SAYS=REACH, such as'),
        ([*NEEDED, "--address-map", "db1=:9"], 1, '--address-map: ":9" has no host'),
        (["--config"], 2, "Option '--config' requires an argument"),
    ],
)
def test_wrong_options(arguments: list[str], status: int, said: str) -> None:
    """Nothing starts, and the message names the option and what to write."""
    result = CliRunner().invoke(run, arguments, env={"RWROUTER_ADMIN_TOKEN": None})
    assert (result.exit_code, said in result.output) == (status, True), result.output


def test_options_become_settings(tmp_path: Path) -> None:
    """Each option has its setting; the file gives the rest."""
    file = tmp_path / "rwrouter.toml"
    file.write_text('[reads]\nmax_lag = "2s"\n')
    settings = settings_from(
        config=file,
        listen=("127.0.0.1:0", "unix:/tmp/x"),
        server=("db1", "db2,weight=0"),
        monitor_user="m",
        admin="127.0.0.1:0",
        workers="2",
        discovery=False,
        address_map=("mysql-2=127.0.0.1:33062",),
        environ={"RWROUTER_MONITOR_PASSWORD": "s"},
    )
    assert settings.listen == ("127.0.0.1:0", "unix:/tmp/x")
    assert [(server.name, server.weight) for server in settings.servers] == [
        ("db1:3306", 100),
        ("db2:3306", 0),
    ]
    assert (settings.workers, settings.admin, settings.reads.max_lag) == (2, "127.0.0.1:0", 2.0)
    assert settings.discovery is False
    assert [(entry.says, entry.reach) for entry in settings.addresses] == [("mysql-2", "127.0.0.1:33062")]
    assert (settings.monitor.user, settings.monitor.password.get_secret_value()) == ("m", "s")


def test_the_master_gets_the_settings_and_its_word_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`run` itself only reads; what serve() returns is what a script sees."""
    served: list[Settings] = []

    def serve(settings: Settings) -> int:
        served.append(settings)
        return 1

    monkeypatch.setattr(master, "serve", serve)
    result = CliRunner().invoke(run, NEEDED)
    assert (result.exit_code, result.output) == (1, "")
    assert served[0].servers[0].address == "db1"
