"""The words that every part shares: frozen values, no behaviour beyond printing themselves."""

from dataclasses import dataclass, field
from enum import StrEnum


class Flavor(StrEnum):
    """Whose server it is. Percona Server counts as MySQL."""

    MYSQL = "mysql"
    MARIADB = "mariadb"


class Role(StrEnum):
    """What a server is in its replication set now."""

    PRIMARY = "primary"
    REPLICA = "replica"
    UNKNOWN = "unknown"  # never reached yet, or two servers claim to be the primary


class State(StrEnum):
    """Whether a server takes new work, and if not, who decided so."""

    UP = "up"
    LAGGING = "lagging"  # answers, but is too far behind (or its lag is unknown): no reads
    DOWN = "down"  # does not answer: taken out by health
    DRAINING = "draining"  # takes no new work and finishes what it has: taken out by a person
    DISABLED = "disabled"  # taken out by a person


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a replica is behind its source.

    *seconds* is None where it is unknown; unknown is never 0. *why* says where the number comes
    from, or why there is none.
    """

    seconds: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Server:
    """One MySQL server, as the monitor last saw it."""

    name: str  # from the configuration, else its address as text; unique in a snapshot
    address: Address
    role: Role = Role.UNKNOWN
    state: State = State.DOWN
    reason: str = "not probed yet"  # why it is in this state, as a sentence for people; "" when UP
    lag: Lag = Lag(None, "not probed yet")
    weight: int = 100  # share of reads among those that may answer; 0 takes none
    ramp: float = 1.0  # the part of its weight that it takes now: less for a while after it came back
    flavor: Flavor = Flavor.MYSQL
    version: str = ""
    uuid: str = ""  # MySQL's server_uuid
    server_id: int = 0
    executed: str = ""  # GTID set that it is known to have applied, as its text; "" without GTIDs
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the router tells a client of the cluster before it logs in: learned from the primary."""

    version: str
    collation: int  # 0-255: the byte in the greeting
    capabilities: int
    flavor: Flavor = Flavor.MYSQL


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The topology at one moment: immutable, sent from the master to each worker.

    *generation* grows with every change. *primary* is the name of the elected primary, None while there
    is none. *greeting* is None until one server has been reached. *problem* is the sentence that clients
    get while nobody can serve them ("" when all is well).
    """

    generation: int = 0
    servers: tuple[Server, ...] = ()
    primary: str | None = None
    greeting: Greeting | None = None
    problem: str = "no server has been reached yet"
    alarms: tuple[str, ...] = ()
    confirmed: int = 0  # how often a worker doubted the primary, and the monitor then found it writable
    tracked_variables: tuple[str, ...] = ()  # session variables that the servers let a client set
    reading_routines: frozenset[str] = field(default_factory=frozenset)
    # "schema.function" in lower case, of stored functions declared NO SQL or READS SQL DATA

    def server(self, name: str) -> Server:
        """Return the server called *name*. Raises KeyError."""
        for server in self.servers:
            if server.name == name:
                return server
        raise KeyError(name)
