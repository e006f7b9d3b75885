"""Every setting: its name, default, unit, and a sentence on what it does."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from rwrouter.config.units import parse_duration, parse_size

Duration = Annotated[float, BeforeValidator(parse_duration)]  # seconds; written as 1.5, "500ms", "2s", "1m"
Size = Annotated[int, BeforeValidator(parse_size)]  # bytes; written as 65536, "64K", "1M"


class TlsMode(StrEnum):
    """How TLS is used on one side, by the names that MySQL's own programs use."""

    DISABLED = "DISABLED"
    PREFERRED = "PREFERRED"
    REQUIRED = "REQUIRED"
    VERIFY_CA = "VERIFY_CA"
    VERIFY_IDENTITY = "VERIFY_IDENTITY"


class Section(BaseModel):
    """A table of rwrouter.toml: immutable, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(Section):
    """One MySQL server."""

    address: str = Field(description="HOST:PORT; the port is 3306 where it is left out")
    name: str = Field(default="", description="how logs, hints and commands call it; its address if empty")
    weight: int = Field(default=100, ge=0, le=10_000, description="share of the reads; 0 takes none")
    zone: str = Field(
        default="", description="where it stands; reads prefer servers of the router's own zone"
    )


class MonitorSettings(Section):
    """How the router looks at the servers."""

    user: str = Field(default="", description="account with REPLICATION CLIENT, on every server")
    password: SecretStr = Field(
        default=SecretStr(""), description="its password; better given as RWROUTER_MONITOR_PASSWORD"
    )
    interval: Duration = Field(default=1.0, gt=0, description="time between two probes of a server")
    timeout: Duration = Field(default=1.0, gt=0, description="longest time that a probe may take")
    rise: int = Field(default=1, ge=1, description="good probes in a row before a server comes back")
    fall: int = Field(default=2, ge=1, description="failed probes in a row before a server is taken out")


class ReadSettings(Section):
    """Where reads go."""

    strategy: Literal["round_robin", "least_outstanding", "latency", "client_hash", "random"] = Field(
        default="round_robin", description="how one of several fit servers is chosen"
    )
    primary_weight: int = Field(default=1, ge=0, le=10_000, description="the primary's share of the reads")
    max_lag: Duration = Field(default=10.0, gt=0, description="a replica further behind gets no reads")
    resume_lag: Duration | None = Field(
        default=None, description="it comes back below this lag; half of max_lag if not given"
    )
    fallback: Literal["primary", "error"] = Field(
        default="primary", description="where reads go while no replica may answer"
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

    mode: TlsMode = Field(default=TlsMode.PREFERRED, description="one of MySQL's five modes")
    ca: str = Field(default="", description="PEM file of authorities for the servers' certificates")
    certificate: str = Field(default="", description="PEM file of a client certificate")
    key: str = Field(default="", description="PEM file of its private key")


class UserSettings(Section):
    """A user that the router checks itself: for mysql_native_password, and clients without TLS or RSA."""

    name: str
    password: SecretStr = SecretStr("")
    password_env: str = Field(default="", description="environment variable that holds the password")
    backend_user: str = Field(default="", description="account on the servers; the same name if empty")
    backend_password: SecretStr | None = Field(
        default=None, description="its password; the same if not given"
    )
    consistency: Literal["eventual", "session", "global", "primary"] | None = None


class Limits(Section):
    """What protects the router and the servers."""

    max_connections: int = Field(default=10_000, ge=1, description="clients of each worker")
    connect_timeout: Duration = Field(default=5.0, gt=0, description="to connect and log in to a server")
    handshake_timeout: Duration = Field(default=10.0, gt=0, description="for a client to log in")
    read_retries: int = Field(default=2, ge=0, description="how often a failed read is run again elsewhere")
    drain_timeout: Duration = Field(default=30.0, ge=0, description="for open transactions at shutdown")
    plan_cache: int = Field(default=10_000, ge=16, description="digests that a worker remembers")
    classified_bytes: Size = Field(default=1 << 20, description="a longer statement goes to the primary")


class LogSettings(Section):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(Section):
    """All settings: the whole of rwrouter.toml."""

    listen: tuple[str, ...] = Field(
        default=("127.0.0.1:6450",), description="HOST:PORT or unix:PATH, where clients connect"
    )
    admin: str = Field(default="127.0.0.1:6451", description="HOST:PORT of the HTTP side; empty turns it off")
    workers: int | Literal["auto"] = Field(default="auto", description="processes; auto is one per core")
    zone: str = Field(default="", description="where this router stands")
    servers: tuple[ServerSettings, ...] = ()
    monitor: MonitorSettings = MonitorSettings()
    reads: ReadSettings = ReadSettings()
    client_tls: ClientTlsSettings = ClientTlsSettings()
    server_tls: ServerTlsSettings = ServerTlsSettings()
    users: tuple[UserSettings, ...] = ()
    limits: Limits = Limits()
    log: LogSettings = LogSettings()
