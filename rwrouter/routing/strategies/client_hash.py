"""Client-address hash: a client's reads always go to one server, while that is fit.

Weighted rendezvous hashing: each server draws a number from a hash of the client and its own name, weighted so that
its chance to be the highest is its share. Who is not the highest of a client does not matter to it: a server that
goes moves its own clients only, to each one's second choice, and takes them back when it returns. Names and addresses
alone decide, so that all workers and routers agree.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import log
from typing import Generic, TypeVar

from rwrouter.routing.balancer import RoundRobin

T = TypeVar("T")


def score(client: bytes, name: bytes, weight: int) -> float:
    """Return the number that the server called *name* draws for *client*."""
    drawn = int.from_bytes(blake2b(client + b"\0" + name, digest_size=8).digest(), "little") >> 12
    return -weight / log((drawn + 0.5) / (1 << 52))  # 52 bits: the quotient is below 1 as a float, too


class Ranking(Generic[T]):
    """The servers in the order in which one client prefers them."""

    __slots__ = ("_order", "laid_out")

    def __init__(self, order: Sequence[T], laid_out: list[tuple[T, int]]) -> None:
        self._order = order
        self.laid_out = laid_out

    def pick(self) -> T | None:
        """Return the client's server; None where there is none."""
        return self._order[0] if self._order else None

    def pick_if(self, fit: "frozenset[T] | set[T]") -> T | None:
        """Return the first of the client's servers that is in *fit*; None where there is none."""
        return next((member for member in self._order if member in fit), None)

    peek_if = pick_if  # the order does not move


class ClientHash(RoundRobin[T]):
    """Gives each client its ranking; where no client is known, the members in turn. *name*: a member's name."""

    __slots__ = ("_name",)

    def __init__(self, members: Sequence[tuple[T, int]], name: Callable[[T], bytes]) -> None:
        super().__init__(members)
        self._name = name

    def of(self, client: bytes) -> Ranking[T]:
        """Return the ranking of *client*. Costs about a µs per server: made once for a session."""
        draws = [
            (score(client, self._name(member), weight), place)
            for place, (member, weight) in enumerate(self.laid_out)
            if weight > 0
        ]
        draws.sort(reverse=True)
        return Ranking([self.laid_out[place][0] for _, place in draws], self.laid_out)
