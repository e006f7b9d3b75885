"""Every setting: its name, default, unit, and a sentence on what it does."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, Strict
from pydantic import model_validator as validated

from rwrouter.config.addresses import parse_admin, parse_listener, parse_network, parse_server
from rwrouter.config.units import parse_duration, parse_size


def _server(text: str) -> str:
    parse_server(text)
    return text


def _said(text: str) -> str:
    if not UUID.fullmatch(text):
        parse_server(text)
    return text


def _table(text: str) -> str:
    if text and not TABLE.fullmatch(text):
        raise ValueError(f'"{text}" is no table: write SCHEMA.TABLE, such as "percona.heartbeat"')
    return text


def _listener(text: str) -> str:
    parse_listener(text)
    return text


def _admin(text: str) -> str:
    if text:
        parse_admin(text)
    return text


def _network(text: str) -> str:
    parse_network(text)
    return text


def _workers(value: object) -> object:
    if value == "auto" or (
        isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_WORKERS
    ):
        return value
    if isinstance(value, str) and value.isdecimal():  # from the command line
        return _workers(int(value))
    written = f'"{value}"' if isinstance(value, str) else value
    raise ValueError(f'{written} is no number of workers: write one from 1 to {MAX_WORKERS}, or "auto"')


def _name(text: str) -> str:
    if text and not NAME.fullmatch(text):
        raise ValueError(f'"{text}" is no name: use letters, digits, "_", "-", "." and ":", at most 64')
    return text


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        raise ValueError(f"is no regular expression of Python's: {exc}") from None
    return text


MAX_WORKERS: Final = 1024
TABLE: Final = re.compile(r"[\w$-]+\.[\w$-]+")
UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
NAME: Final = re.compile(r"[\w\[][\w.:\[\]-]{0,63}")  # an address is a name too

# Strict: true is no number, and "5" is no number either, where a unit is not allowed.
Count = Annotated[int, Strict()]
Duration = Annotated[float, Strict(), BeforeValidator(parse_duration)]  # seconds: 1.5, "500ms", "2s", "1m"
Size = Annotated[int, Strict(), BeforeValidator(parse_size)]  # bytes: 65536, "64K", "1M"
ServerAddress = Annotated[str, AfterValidator(_server)]
ListenerAddress = Annotated[str, AfterValidator(_listener)]
NetworkText = Annotated[str, AfterValidator(_network)]
AdminAddress = Annotated[str, AfterValidator(_admin)]
Workers = Annotated[int | Literal["auto"], BeforeValidator(_workers)]


class TlsMode(StrEnum):
    """How TLS is used on one side, by the names that MySQL's own programs use."""

    DISABLED = "DISABLED"
    PREFERRED = "PREFERRED"
    REQUIRED = "REQUIRED"
    VERIFY_CA = "VERIFY_CA"
    VERIFY_IDENTITY = "VERIFY_IDENTITY"


class Section(BaseModel):
    """A table of rwrouter.toml: immutable, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ServerSettings(Section):
    """One MySQL server."""

    address: ServerAddress = Field(description="HOST:PORT; the port is 3306 where it is left out")
    name: Annotated[str, AfterValidator(_name)] = Field(
        default="", description="how logs, hints and commands call it; its address if empty"
    )
    weight: Count = Field(default=100, ge=0, le=10_000, description="share of the reads; 0 takes none")
    zone: str = Field(
        default="", description="where it stands; reads prefer servers of the router's own zone"
    )

    @validated(mode="before")
    @classmethod
    def _name_by_address(cls, values: object) -> object:
        """Give a server without a name its address, port included."""
        if isinstance(values, Mapping) and isinstance(values.get("address"), str) and not values.get("name"):
            try:
                return {**values, "name": str(parse_server(values["address"]))}
            except ValueError:
                return values  # the address has its own message
        return values


class AddressSettings(Section):
    """Where the router reaches a server that others call by an address of their own: containers, NAT."""

    says: Annotated[str, AfterValidator(_said)] = Field(
        description="what servers say: HOST:PORT, HOST (any port) or a server_uuid"
    )
    reach: ServerAddress = Field(description="HOST:PORT to connect to instead; without a port, the one said")


class MonitorSettings(Section):
    """How the router looks at the servers."""

    user: str = Field(default="", description="account with REPLICATION CLIENT, on every server")
    password: SecretStr = Field(
        default=SecretStr(""), description="its password; better given as RWROUTER_MONITOR_PASSWORD"
    )
    interval: Duration = Field(default=1.0, gt=0, description="time between two probes of a server")
    timeout: Duration = Field(
        default=1.0,
        gt=0,
        description="longest time that a probe may take; five times that while a server is down",
    )
    rise: Count = Field(default=1, ge=1, description="good probes in a row before a server comes back")
    fall: Count = Field(default=2, ge=1, description="failed probes in a row before a server is taken out")
    heartbeat: Annotated[str, AfterValidator(_table)] = Field(
        default="", description="SCHEMA.TABLE that pt-heartbeat writes on the primary: another source of lag"
    )
    forget: Duration = Field(
        default=300.0,
        gt=0,
        description="a found server that no other one names any more is dropped after this",
    )


class ReadSettings(Section):
    """Where reads go."""

    strategy: Literal["round_robin", "least_outstanding", "latency", "client_hash", "random"] = Field(
        default="round_robin", description="how one of several fit servers is chosen"
    )
    monotonic: bool = Field(
        default=False,
        description="a session keeps to one server, and never goes to one that is behind what it has seen",
    )
    primary_weight: Count = Field(default=1, ge=0, le=10_000, description="the primary's share of the reads")
    max_lag: Duration = Field(default=10.0, gt=0, description="a replica further behind gets no reads")
    resume_lag: Duration | None = Field(
        default=None, description="it comes back below this lag; half of max_lag if not given"
    )
    slow_start: Duration = Field(
        default=10.0, ge=0, description="a server that comes back takes its whole weight only after this time"
    )
    fallback: Literal["primary", "wait", "error"] = Field(
        default="primary", description="what becomes of a read while no replica is fit for it"
    )
    fallback_timeout: Duration = Field(
        default=5.0,
        ge=0,
        description='fallback = "wait": how long a read waits for a replica before it fails',
    )
    consistency: Literal["eventual", "session", "global", "primary"] = Field(
        default="session", description="which writes a read must see"
    )
    wait: Duration = Field(default=0.5, ge=0, description="longest wait for a replica to have a write")
    causal_window: Duration = Field(
        default=2.0, ge=0, description="without GTIDs: reads stay on the primary this long after a write"
    )


class ClientTlsSettings(Section):
    """TLS towards clients."""

    mode: TlsMode = Field(default=TlsMode.PREFERRED, description="DISABLED, PREFERRED or REQUIRED")
    certificate: str = Field(default="", description="PEM file; made at the first start if empty")
    key: str = Field(default="", description="PEM file of the certificate's private key")
    ca: str = Field(default="", description="PEM file of authorities for client certificates")


class ServerTlsSettings(Section):
    """TLS towards the servers."""

    mode: TlsMode = Field(
        default=TlsMode.PREFERRED,
        description="one of MySQL's five modes; PREFERRED spares servers on loopback",
    )
    ca: str = Field(default="", description="PEM file of authorities for the servers' certificates")
    certificate: str = Field(default="", description="PEM file of a client certificate")
    key: str = Field(default="", description="PEM file of its private key")


class CompressionSettings(Section):
    """The compressed protocol: fewer bytes on the link, for CPU on both sides."""

    clients: bool = Field(
        default=True, description="offered to clients: zlib, and zstd where the servers are MySQL"
    )
    servers: Literal["none", "zlib", "zstd"] = Field(
        default="none", description="asked of the servers; one that has it not gets none (zstd: MariaDB)"
    )


class ProxyProtocolSettings(Section):
    """The PROXY protocol: the address of a client that comes over a balancer, and towards servers."""

    networks: tuple[NetworkText, ...] = Field(
        default=(),
        description='whose PROXY headers (v1, v2) are believed: `"10.0.0.0/8"`, an address, `"unix"`; '
        "balancers that always send one, and no others",
    )
    to_servers: bool = Field(
        default=False,
        description="tells servers each client's address (v2): MariaDB and Percona Server, with the router in "
        "their proxy_protocol_networks",
    )


class UserSettings(Section):
    """A user that the router checks itself: for mysql_native_password, and clients without TLS or RSA."""

    name: str = Field(description="as the client gives it")
    password: SecretStr = Field(default=SecretStr(""), description="its password; better in password_env")
    password_env: str = Field(default="", description="environment variable that holds the password")
    backend_user: str = Field(default="", description="account on the servers; the same name if empty")
    backend_password: SecretStr | None = Field(
        default=None, description="its password; the same if not given"
    )
    consistency: Literal["eventual", "session", "global", "primary"] | None = Field(
        default=None, description="instead of reads.consistency for this user"
    )
    max_lag: Duration | None = Field(
        default=None, gt=0, description="its reads are asked only of replicas that are no further behind"
    )


class RuleSettings(Section):
    """What becomes of the statements that match: of two rules that say something of the same, the first wins."""

    name: str = Field(default="", description="how explanations call it; its number in the file if empty")
    user: str = Field(default="", description="for sessions of this user")
    database: str = Field(default="", description="for sessions whose current schema this is")
    clients: tuple[NetworkText, ...] = Field(
        default=(), description='for clients from these networks, such as ["10.1.0.0/16", "unix"]'
    )
    digest: str = Field(
        default="", description="for statements with this digest, as `rwrouter explain` shows it"
    )
    regex: Annotated[str, AfterValidator(_regex)] = Field(
        default="", description="for statements in whose digest this is found; case does not count"
    )
    target: Literal["primary", "replica"] | None = Field(
        default=None, description="primary: reads go there; replica: a function that is not known only reads"
    )
    server: str = Field(default="", description="reads go to the server of this name, while it is up")
    consistency: Literal["eventual", "session", "global", "primary"] | None = Field(
        default=None, description="which writes reads must see"
    )
    max_lag: Duration | None = Field(
        default=None, gt=0, description="reads are asked only of replicas that are no further behind"
    )
    deny: str = Field(default="", description="the statement gets an error with this message")


class Limits(Section):
    """What protects the router and the servers."""

    max_connections: Count = Field(default=10_000, ge=1, description="clients of each worker")
    connect_timeout: Duration = Field(default=5.0, gt=0, description="to connect and log in to a server")
    handshake_timeout: Duration = Field(default=10.0, gt=0, description="for a client to log in")
    primary_wait: Duration = Field(
        default=20.0,
        ge=0,
        description="how long a write waits for a primary, while there is none, before it gets an error",
    )
    held_statements: Count = Field(
        default=10_000, ge=1, description="statements of a worker that may wait for a primary"
    )
    held_bytes: Size = Field(default=64 << 20, description="their length together")
    read_retries: Count = Field(default=2, ge=0, description="how often a failed read is run again elsewhere")
    drain_timeout: Duration = Field(default=30.0, ge=0, description="for open transactions at shutdown")
    plan_cache: Count = Field(default=10_000, ge=16, description="digests that a worker remembers")
    classified_bytes: Size = Field(default=1 << 20, description="a longer statement goes to the primary")


class LogSettings(Section):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least that is logged"
    )
    format: Literal["text", "json"] = Field(default="text", description="for people, or for programs")


class Settings(Section):
    """All settings: the whole of rwrouter.toml."""

    listen: tuple[ListenerAddress, ...] = Field(
        default=("127.0.0.1:6450",), description="HOST:PORT or unix:PATH, where clients connect"
    )
    admin: AdminAddress = Field(
        default="127.0.0.1:6451", description="HOST:PORT of the HTTP side; empty turns it off"
    )
    admin_token: SecretStr = Field(
        default=SecretStr(""),
        description="what HTTP callers show, if others can reach it; better given as RWROUTER_ADMIN_TOKEN",
    )
    workers: Workers = Field(default="auto", description="processes; auto is one per core")
    zone: str = Field(default="", description="where this router stands")
    servers: tuple[ServerSettings, ...] = Field(default=(), description="at least one; roles are discovered")
    discovery: Annotated[bool, Strict()] | None = Field(
        default=None,
        description="use servers that others name and nobody listed; if not given: where one server is listed",
    )
    addresses: tuple[AddressSettings, ...] = Field(
        default=(), description="for servers that the router reaches elsewhere than they say"
    )
    monitor: MonitorSettings = MonitorSettings()
    reads: ReadSettings = ReadSettings()
    client_tls: ClientTlsSettings = ClientTlsSettings()
    server_tls: ServerTlsSettings = ServerTlsSettings()
    compression: CompressionSettings = CompressionSettings()
    proxy_protocol: ProxyProtocolSettings = ProxyProtocolSettings()
    users: tuple[UserSettings, ...] = Field(default=(), description="users that the router checks itself")
    rules: tuple[RuleSettings, ...] = Field(default=(), description="what becomes of which statements")
    limits: Limits = Limits()
    log: LogSettings = LogSettings()

    @property
    def discovers(self) -> bool:
        """Whether servers are used that nobody listed. Who lists several has said which; who gives one, has not."""
        return len(self.servers) == 1 if self.discovery is None else self.discovery
