"""A running router, as commands find and ask it."""

import json
import socket
import threading
from typing import Any

import click
import pytest
from click.testing import CliRunner

from rwrouter.cli.router import RunningRouter, admin_option
from tests.unit.cli.answering import answering


@click.command()
@admin_option
def look(*, router: RunningRouter) -> None:
    """Ask, as any command does."""
    click.echo(json.dumps(router.ask("/v1/look")))


def test_the_answer_is_the_routers_own() -> None:
    """What the address of --admin answers is what the command gets."""
    with answering(b'{"a": 1}') as admin:
        result = CliRunner().invoke(look, ["--admin", admin])
    assert (result.exit_code, json.loads(result.output)) == (0, {"a": 1})


@pytest.mark.parametrize("environment", [{"RWROUTER_ADMIN_TOKEN": "t0k"}, {"RWROUTER_ADMIN_TOKEN": None}])
def test_the_token_is_the_environments(environment: dict[str, str | None]) -> None:
    """Without one, none is shown."""
    seen: list[dict[str, str]] = []
    with answering(b"{}", seen=seen) as admin:
        CliRunner().invoke(look, ["--admin", admin], env=environment)
    token = environment["RWROUTER_ADMIN_TOKEN"]
    assert [one.get("Authorization") for one in seen] == [token and f"Bearer {token}"]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"", 401, "asks for a token: set RWROUTER_ADMIN_TOKEN"),
        (b"", 404, "answers 404 Not Found: is it a rwrouter?"),
        (b"<html>", 200, "answers, but not as a rwrouter does"),
        (b"[]", 200, "answers, but not as a rwrouter does"),
    ],
)
def test_what_answers_but_is_no_router(body: bytes, code: int, said: str) -> None:
    """The message says who answered, and what is wrong with it."""
    with answering(body, code) as admin:
        result = CliRunner().invoke(look, ["--admin", admin])
    assert (result.exit_code, result.output) == (1, f"Error: {admin} {said}\n")


@pytest.mark.parametrize(
    ("body", "said"), [(b'{"error": "no such server"}', "no such server"), (b"{", "is it a rwrouter?")]
)
def test_what_a_router_refuses(body: bytes, said: str) -> None:
    """An order that it refuses is told in its own words."""
    with answering(body, 409) as admin, pytest.raises(click.ClickException, match=said.replace("?", r"\?")):
        RunningRouter(admin).ask("/v1/servers/db9/drain", {})


def test_no_router_there() -> None:
    """The message names the address and the option that it comes from."""
    with answering(b"") as admin:
        pass
    result = CliRunner().invoke(look, ["--admin", admin])
    assert (result.exit_code, result.output) == (
        1,
        (
            f"Error: no router answers at {admin} (Connection refused): is it running? "
            "its address is --admin of `rwrouter run`\n"
        ),
    )


def test_a_port_that_speaks_no_http() -> None:
    """As that on which clients connect: the message is no traceback."""
    greeting = b"J\x00\x00\x00\n9.7.4\x00" + bytes(60)

    def greet() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(greeting)
            client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet)
        thread.start()
        admin = f"127.0.0.1:{listener.getsockname()[1]}"
        result = CliRunner().invoke(look, ["--admin", admin])
        thread.join()
    assert (result.exit_code, result.output) == (1, f"Error: {admin} answers, but not as a rwrouter does\n")


def test_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that is none is wrong usage, before anything is asked."""

    def never(*_arguments: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(RunningRouter, "ask", never)
    result = CliRunner().invoke(look, ["--admin", "localhost"])
    assert result.exit_code == 2
    assert '--admin: "localhost" has no port: write "localhost:6450"' in result.output
