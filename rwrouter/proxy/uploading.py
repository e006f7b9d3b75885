"""Passes on what is too long to be kept: the rest of a command whose head was sent, and the file of a LOCAL INFILE."""

from typing import TYPE_CHECKING

from rwrouter.errors import BadRequest, Denied
from rwrouter.protocol.flags import COM_QUERY, COM_STMT_SEND_LONG_DATA
from rwrouter.protocol.upload import Upload
from rwrouter.proxy import commands, executing
from rwrouter.sql.plans import ASKS_ROUTER, DENIED, Plan, Target

if TYPE_CHECKING:
    from rwrouter.proxy.backend import BackendConnection
    from rwrouter.proxy.client import ClientConnection


def begin(client: "ClientConnection", size: int) -> None:
    """Run the command whose head is in the inbox, of *size* bytes in all: it can't be run again."""
    inbox = client.inbox
    client.upload = Upload()
    taken = client.upload.receive(bytes(inbox))
    head = bytes(inbox[:taken])
    del inbox[:taken]
    command = head[4]
    plan = commands.STATEMENT
    if command == COM_QUERY:
        plan = client.plan_head(head[5:], size - 5)
    if command in executing.COMMANDS and not executing.begin_long(client, head):
        return
    if plan.effects & ASKS_ROUTER:
        client.fail(BadRequest("a RWROUTER statement longer than limits.classified_bytes"), close=True)
        return
    if plan.effects & DENIED:
        client.fail(Denied(plan.reason), close=True)
        return
    if plan.target is not Target.PRIMARY:
        plan = Plan(Target.PRIMARY, "too long to be read whole", digest=plan.digest, effects=plan.effects)
    client.pause()
    client.run(head, plan, command)


def pass_on(client: "ClientConnection") -> None:
    """Pass on what has come of a command or file whose start has been sent."""
    upload, backend = client.upload, client.current
    if upload is None or backend is None:
        return
    if client.inbox:
        data = bytes(client.inbox)
        taken = upload.receive(data)
        del client.inbox[:taken]
        piece = data[:taken]
        backend.transport.write(upload.renumber(piece) if client.is_compressed and upload.number else piece)
    if upload.complete:
        client.upload = None
        if client.command == COM_STMT_SEND_LONG_DATA:
            client.finished()
            return
    if not backend.full:
        client.resume()


def file_wanted(client: "ClientConnection", backend: "BackendConnection", data: bytes) -> None:
    """LOCAL INFILE: what comes next from the client is its file, if its statement can have asked for that."""
    if b"LOAD" not in client.request.upper():
        backend.abort("it broke the protocol: it asks for a file that the statement does not load")
        return
    client.forward(data)
    client.upload = Upload(file=True, number=backend.reply.infile_number + 1)
    backend.reply.file_sent()
    if client.inbox:
        pass_on(client)
