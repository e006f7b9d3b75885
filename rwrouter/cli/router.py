"""A running router, as commands find and ask it: over its HTTP side, at --admin."""

import http.client
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

import click

from rwrouter.config.addresses import parse_admin
from rwrouter.config.load import ADMIN_TOKEN

TIMEOUT: Final = 5.0  # seconds: the answer comes from memory


@dataclass(frozen=True, slots=True)
class RunningRouter:
    """The router whose HTTP side is at *address*. *token* is shown to it; "" for none."""

    address: str
    token: str = ""

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what it answers; with *body*, that is posted. Raises ClickException."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data, {"X-RWRouter": "cli"})
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by way of a web proxy
        try:
            with opener.open(request, timeout=TIMEOUT) as answer:
                found = json.loads(answer.read())
        except urllib.error.HTTPError as exc:
            with exc:
                if exc.code == 401:
                    raise click.ClickException(
                        f"{self.address} asks for a token: set {ADMIN_TOKEN}"
                    ) from None
                if body is not None and (said := _error(exc)):
                    raise click.ClickException(said) from None
                raise click.ClickException(
                    f"{self.address} answers {exc.code} {exc.reason}: is it a rwrouter?"
                ) from None
        except OSError as exc:
            why = getattr(exc, "reason", exc)
            raise click.ClickException(
                f"no router answers at {self.address} ({getattr(why, 'strerror', None) or why}): "
                "is it running? its address is --admin of `rwrouter run`"
            ) from None
        except (ValueError, http.client.HTTPException):
            raise self.strange() from None
        if not isinstance(found, dict):
            raise self.strange()
        return found

    def strange(self) -> click.ClickException:
        """Return what to raise where the answer is none of a router's."""
        return click.ClickException(f"{self.address} answers, but not as a rwrouter does")


def _error(exc: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(exc.read())["error"])
    except (ValueError, KeyError, TypeError, OSError):
        return ""


def _found(_context: click.Context, _parameter: click.Parameter, value: str) -> RunningRouter:
    try:
        address = parse_admin(value)
    except ValueError as exc:
        raise click.UsageError(f"--admin: {exc}") from None
    return RunningRouter(str(address), os.environ.get(ADMIN_TOKEN, ""))


admin_option: Final = click.option(
    "--admin",
    "router",
    metavar="HOST:PORT",
    default="127.0.0.1:6451",
    show_default=True,
    callback=_found,
    help="HTTP side of the router.",
)
"""Gives the command a `router`, which has not been asked anything yet."""
