"""What is too long to be kept is passed on as it comes."""

from tests.unit.proxy.stage import Stage, by_name, ok, on_stage, packet, query, row


def test_a_long_statement_is_passed_on_as_it_comes() -> None:
    """What is longer than can be classified goes to the primary in pieces, and is not kept."""

    async def play(stage: Stage) -> None:
        body = b"\x03INSERT INTO t VALUES ('" + b"x" * 200_000 + b"')"
        data = packet(body)
        for start in range(0, len(data), 50_000):
            await stage.send(data[start : start + 50_000])
        assert {name for name, _ in stage.log} == {"db1"}
        assert b"".join(chunk for _, chunk in stage.log if not chunk.startswith(b"SET", 5)) == data
        assert len(stage.client.request) <= 100_000

    def script(name: str, command: bytes) -> bytes | None:
        return ok() if command.endswith(b"')") or b"SET @@" in command else None

    on_stage(play, script, limits={"classified_bytes": 100_000})


def test_a_file_is_sent_to_no_server_that_asks_for_it_unasked() -> None:
    """A server that wants a file in the reply to a read is left, and another answers; LOAD DATA gets its file."""

    def wants_a_file(name: str, command: bytes) -> bytes | None:
        return packet(b"\xfb/etc/passwd", 1) if name != "db1" else by_name(name, command)

    async def play(stage: Stage) -> None:
        assert await stage.send(query("SELECT 1")) == row("db1")
        stage.script = lambda _, command: packet(b"\xfbx", 1) if b"load" in command else ok()
        assert await stage.send(query("load data local infile 'x' into table t")) == packet(b"\xfbx", 1)

    on_stage(play, wants_a_file)
