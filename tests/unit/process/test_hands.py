"""The operator's connections."""

import asyncio

import pytest

from rwrouter.cluster.steps import Statement
from rwrouter.config.model import ServerTlsSettings
from rwrouter.model import Address
from rwrouter.process.hands import OperatorHands, StepFailed
from tests.unit.cluster.test_switchover import ORDER


def test_an_operator_that_can_not_connect_is_told() -> None:
    """As a failed step, with the server's name."""

    async def play() -> None:
        hands = OperatorHands(ORDER, {"db1": Address("127.0.0.1", 1)}, ServerTlsSettings())
        with pytest.raises(StepFailed, match="db1: "):
            await hands.run("db1", Statement("SELECT 1"), 5.0)
        hands.close()

    asyncio.run(play())
