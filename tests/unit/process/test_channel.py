"""Messages between master and workers."""

import asyncio
import socket

from rwrouter.model import Snapshot
from rwrouter.process.channel import Channel, Drain, Message, Nudge, Topology


def test_messages_arrive_in_order_and_the_end_is_told() -> None:
    """Whatever their size, and however they are cut on the way."""

    async def play() -> None:
        left, right = socket.socketpair()
        got: list[Message] = []
        closed = asyncio.Event()
        one = await Channel.open(left, got.append, closed.set)
        other = await Channel.open(right, got.append, closed.set)
        sent: list[Message] = [
            Topology(Snapshot(7, problem="x" * 300_000), {"db1": 0}),
            Nudge("db1", "refused", failed=True),
            Drain(1.5),
        ]
        for message in sent:
            one.send(message)
        for _ in range(200):
            if len(got) == 3:
                break
            await asyncio.sleep(0.005)
        assert got == sent
        one.close()
        await asyncio.wait_for(closed.wait(), 5)
        other.send(Drain(0))  # nobody is there: nothing happens
        other.close()

    asyncio.run(play())
