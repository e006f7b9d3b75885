"""What no single setting can tell: clashes, doubles, things that need each other."""

from collections.abc import Iterator, Mapping, Sequence

from rwrouter.config.addresses import (
    Listener,
    UnixPath,
    clash,
    is_loopback,
    parse_admin,
    parse_listener,
    parse_server,
)
from rwrouter.config.lines import Path
from rwrouter.config.model import Settings, TlsMode
from rwrouter.config.problems import nearest

Finding = tuple[Path, str]  # the key to blame, and the message


def findings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with *settings* as a whole, in the order of the file's reference."""
    yield from _listeners(settings)
    yield from _servers(settings)
    yield from _addresses(settings)
    yield from _monitor(settings)
    yield from _tls(settings)
    yield from _users(settings, environ)
    yield from _rules(settings)


def _listeners(settings: Settings) -> Iterator[Finding]:
    if not settings.listen:
        yield ("listen",), 'is empty: write where clients connect, such as ["127.0.0.1:6450"]'
    seen: list[Listener] = []
    for index, text in enumerate(settings.listen):
        listener = parse_listener(text)
        for other in seen:
            if clash(listener, other):
                same = "is given twice" if str(other) == str(listener) else f'clashes with "{other}"'
                yield ("listen", index), f'"{text}" {same}: keep one of them, or use another port'
                break
        seen.append(listener)
    if not settings.admin:
        return
    admin = parse_admin(settings.admin)
    for other in seen:
        if clash(admin, other):
            yield ("admin",), f'"{settings.admin}" clashes with the listener "{other}": use another port'
            break
    if not is_loopback(admin) and not settings.admin_token.get_secret_value():
        yield (
            ("admin",),
            (
                f'"{settings.admin}" can be reached by others: set a token in the environment variable '
                f'RWROUTER_ADMIN_TOKEN, or write "127.0.0.1:{admin.port}"'
            ),
        )


def _servers(settings: Settings) -> Iterator[Finding]:
    if not settings.servers:
        yield (
            ("servers",),
            'none is given: write [[servers]] and below it address = "HOST:PORT", or use --server HOST:PORT',
        )
    listeners = [parse_listener(text) for text in settings.listen]
    names: set[str] = set()
    addresses: dict[object, str] = {}
    for index, server in enumerate(settings.servers):
        address = parse_server(server.address)
        if address in addresses:
            yield (
                ("servers", index, "address"),
                f'"{server.address}" is the server "{addresses[address]}" already: each is named once',
            )
        elif server.name in names:
            yield ("servers", index, "name"), f'"{server.name}" is taken: each server needs a name of its own'
        if is_loopback(address):
            for listener in listeners:
                if not isinstance(listener, UnixPath) and _is_itself(
                    listener.host, listener.port, address.port
                ):
                    yield (
                        ("servers", index, "address"),
                        (
                            f'"{server.address}" is where the router itself listens ("{listener}"): '
                            "write the MySQL server's address"
                        ),
                    )
                    break
        addresses.setdefault(address, server.name)
        names.add(server.name)


def _addresses(settings: Settings) -> Iterator[Finding]:
    said: set[str] = set()
    for index, entry in enumerate(settings.addresses):
        if entry.says.lower() in said:
            yield ("addresses", index, "says"), f'"{entry.says}" is given twice: keep one of them'
        said.add(entry.says.lower())


def _is_itself(host: str, port: int, server_port: int) -> bool:
    return port == server_port and host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::")


def _monitor(settings: Settings) -> Iterator[Finding]:
    if not settings.monitor.user:
        yield (
            ("monitor", "user"),
            (
                "is missing: write an account that has REPLICATION CLIENT on every server, or use "
                "--monitor-user (the password in the environment variable RWROUTER_MONITOR_PASSWORD)"
            ),
        )
    reads = settings.reads
    if reads.resume_lag is not None and reads.resume_lag > reads.max_lag:
        yield (
            ("reads", "resume_lag"),
            (
                f"{reads.resume_lag:g} s is above max_lag ({reads.max_lag:g} s): a replica would come back "
                "while it is too far behind; write less"
            ),
        )


def _tls(settings: Settings) -> Iterator[Finding]:
    client, server = settings.client_tls, settings.server_tls
    if client.mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_IDENTITY):
        yield (
            ("client_tls", "mode"),
            (
                f'"{client.mode}" is for servers: towards clients write "DISABLED", "PREFERRED" or '
                '"REQUIRED", and ca to ask them for certificates'
            ),
        )
    for table, certificate, key in (
        ("client_tls", client.certificate, client.key),
        ("server_tls", server.certificate, server.key),
    ):
        if certificate and not key:
            yield (table, "certificate"), "needs its private key: write key too"
        if key and not certificate:
            yield (table, "key"), "needs its certificate: write certificate too"
    if server.mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_IDENTITY) and not server.ca:
        yield ("server_tls", "mode"), f'"{server.mode}" needs authorities to trust: write ca = "FILE.pem" too'


def _users(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    names: Sequence[str] = [user.name for user in settings.users]
    for index, user in enumerate(settings.users):
        if user.name in names[:index]:
            yield ("users", index, "name"), f'"{user.name}" is there already: each user is named once'
        has_password = "password" in user.model_fields_set
        if user.password_env and has_password:
            yield ("users", index, "password_env"), "stands beside password: keep one of them"
        elif user.password_env and user.password_env not in environ:
            yield (
                ("users", index, "password_env"),
                f'the environment has no "{user.password_env}": set it before rwrouter starts',
            )
        elif not user.password_env and not has_password:
            yield (
                ("users", index),
                f'"{user.name}" has no password: write password_env = "VARIABLE"',
            )


_DOES = ("target", "server", "consistency", "max_lag", "deny")


def _rules(settings: Settings) -> Iterator[Finding]:
    servers = [server.name for server in settings.servers]
    names: set[str] = set()
    for index, rule in enumerate(settings.rules):
        does = [name for name in _DOES if getattr(rule, name)]
        if not does:
            yield ("rules", index), f"does nothing: write one of {', '.join(_DOES)}"
        elif rule.deny and len(does) > 1:
            yield ("rules", index, "deny"), f"stands beside {does[0]}: what is denied goes nowhere; keep one"
        elif rule.target == "primary" and rule.server:
            yield ("rules", index, "server"), 'stands beside target = "primary": keep one of them'
        if rule.name and rule.name in names:
            yield (
                ("rules", index, "name"),
                f'"{rule.name}" is there already: give each rule a name of its own',
            )
        names.add(rule.name)
        if rule.server and rule.server not in servers and not settings.discovers:
            question = nearest(rule.server, servers)
            yield (
                ("rules", index, "server"),
                f'"{rule.server}" is no server of this file: {question or "write a name from [[servers]]"}',
            )
