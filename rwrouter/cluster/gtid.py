"""GTID sets of MySQL and MariaDB: which transactions a server has applied, or a session must see.

    MySQL     3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5:7, 3E11...:billing:1-3     page "GTID Sets", replication-gtids-concepts
    MariaDB   0-1-42,1-7-3                                                        page "Global Transaction ID": domain-server-sequence

A MySQL source is `uuid`, or `uuid:tag` (8.3 and later), and has intervals of transaction numbers. A MariaDB
position names the last transaction of each domain; a domain's transactions are in one order everywhere, so
`0-1-42` stands for the interval 1-42 of domain 0, and both are the same kind of set here.
"""  # noqa: E501  the two forms are compared best side by side

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

Intervals = tuple[tuple[int, int], ...]  # first and last number, ascending, neither touching nor empty

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TAG: Final = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_INTERVAL: Final = re.compile(r"([0-9]+)(?:-([0-9]+))?")
_MARIADB: Final = re.compile(r"([0-9]+)-([0-9]+)-([0-9]+)")
_COUNT_LIMIT: Final = 1 << 64  # MariaDB's; MySQL ends at 2^63 - 2 (GNO_END)
_CACHED: Final = 512  # texts: more than servers plus sessions that wait at one time


class GtidSet:
    """An immutable set of transactions. The empty set is false."""

    __slots__ = ("servers", "sources")

    def __init__(self, sources: Mapping[str, Intervals] | None = None) -> None:
        """Take *sources* as they are: for texts there is `parse`. Nobody changes them afterwards."""
        self.sources: dict[str, Intervals] = dict(sources or {})
        self.servers: dict[str, int] = {}  # MariaDB alone: domain -> server of its last transaction

    @classmethod
    def parse(cls, text: str) -> "GtidSet":
        """Return the set that *text* names, in either form; blanks and line breaks do not count.

        Raises ValueError.
        """
        sources: dict[str, list[tuple[int, int]]] = {}
        servers: dict[str, int] = {}
        for item in "".join(text.split()).lower().split(","):
            if not item:
                continue
            match = _MARIADB.fullmatch(item)
            if match is None:
                _parse_mysql(item, sources)
                continue
            domain, server, last = str(int(match[1])), int(match[2]), int(match[3])
            if last >= _COUNT_LIMIT:
                raise ValueError(f"{item[:80]!r}: no server counts so many transactions")
            known = sources.setdefault(domain, [])
            if last and (not known or last > known[-1][1]):
                sources[domain], servers[domain] = [(1, last)], server
        result = cls({source: merged for source, some in sources.items() if (merged := _merge(some))})
        result.servers = servers
        return result

    def contains(self, other: "GtidSet") -> bool:
        """Tell whether each transaction of *other* is in this set."""
        mine = self.sources
        for source, wanted in other.sources.items():
            have = mine.get(source)
            if have is None:
                return False
            if len(have) == 1:  # the common case: a server without gaps
                if have[0][0] > wanted[0][0] or have[0][1] < wanted[-1][1]:
                    return False
                continue
            for first, last in wanted:
                at = bisect_right(have, (first, _COUNT_LIMIT)) - 1
                if at < 0 or have[at][1] < last:
                    return False
        return True

    def union(self, other: "GtidSet") -> "GtidSet":
        """Return the set of what is in either. MariaDB: the later position of each domain."""
        if not other.sources:
            return self
        sources = dict(self.sources)
        for source, intervals in other.sources.items():
            have = sources.get(source)
            sources[source] = _merge((*have, *intervals)) if have else intervals
        result = GtidSet(sources)
        if self.servers or other.servers:
            result.servers = {
                source: (other if self.last(source) < other.last(source) else self).servers[source]
                for source in sources
                if source in self.servers or source in other.servers
            }
        return result

    def __bool__(self) -> bool:
        return bool(self.sources)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GtidSet) and self.sources == other.sources

    def __hash__(self) -> int:
        return hash(frozenset(self.sources.items()))

    def __repr__(self) -> str:
        return f"GtidSet({str(self)!r})"

    def __str__(self) -> str:
        """Return the text that servers of its kind take, e.g. in WAIT_FOR_EXECUTED_GTID_SET."""
        items: dict[str, str] = {}
        for source in sorted(self.sources, key=_order):
            if source.isdecimal():
                items[source] = f"{source}-{self.servers.get(source, 0)}-{self.last(source)}"
                continue
            uuid, _, tag = source.partition(":")
            parts = [items[uuid]] if uuid in items else [uuid]
            parts += [tag] if tag else []
            parts += [f"{a}-{b}" if b > a else f"{a}" for a, b in self.sources[source]]
            items[uuid] = ":".join(parts)
        return ",".join(items.values())

    def last(self, source: str) -> int:
        """Return the highest number of *source*, 0 if there is none."""
        intervals = self.sources.get(source)
        return intervals[-1][1] if intervals else 0


@lru_cache(maxsize=_CACHED)
def parsed(text: str) -> GtidSet:
    """Return `GtidSet.parse(text)`, remembered: servers and sessions are asked many times about one text."""
    return GtidSet.parse(text)


def covers(executed: str, position: str) -> bool:
    """Tell whether a server that has *executed* this has all of *position*. Raises ValueError.

    Cheap enough for each statement: both texts are parsed once, and comparing takes about a microsecond.
    """
    return not position or (bool(executed) and parsed(executed).contains(parsed(position)))


def merge(position: str, written: str) -> str:
    """Return *position* with the transaction of an OK packet, *written*, in it. Raises ValueError."""
    return str(parsed(position).union(parsed(written))) if position else written


def _parse_mysql(item: str, sources: dict[str, list[tuple[int, int]]]) -> None:
    uuid, *parts = item.split(":")
    if not _UUID.fullmatch(uuid) or not parts:
        raise ValueError(f"{item!r} is no GTID: neither uuid:first-last nor domain-server-sequence")
    source = uuid
    for part in parts:
        if match := _INTERVAL.fullmatch(part):
            first, last = int(match[1]), int(match[2] or match[1])
            if first < 1:
                raise ValueError(f"{part!r} in {item!r}: transactions are counted from 1")
            if last >= _COUNT_LIMIT:
                raise ValueError(f"{part[:80]!r}: no server counts so many transactions")
            if last >= first:  # servers take "5-3" for nothing, too
                sources.setdefault(source, []).append((first, last))
        elif _TAG.fullmatch(part):
            source = f"{uuid}:{part}"
        else:
            raise ValueError(f"{part!r} in {item!r} is neither an interval nor a tag")


def _merge(intervals: Iterable[tuple[int, int]]) -> Intervals:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


def _order(source: str) -> tuple[int, str]:
    return (int(source), "") if source.isdecimal() else (0, source)
