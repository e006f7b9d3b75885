"""What a statement comes to: where it may run, why, and what it leaves behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rwrouter.sql import plans
from rwrouter.sql.plans import Target


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one reading of a statement comes to."""

    target: Target
    reason: str
    effects: int = 0
    unsure: bool = False  # on the primary only because a function is not known: a hint may settle it
    unknown: bool = False  # its first word is on no list


ASKS_REASON: Final = "asks the router itself"
ASKS: Final = Verdict(Target.LOCAL, ASKS_REASON, plans.ASKS_ROUTER)

EMPTY: Final = Verdict(Target.PRIMARY, "is empty: the server answers it")

# The more careful of two verdicts is the one that comes first here.
_CARE: Final = (Target.PRIMARY, Target.SAME, Target.LOCAL, Target.REPLICA)


def most_careful(verdicts: Sequence[Verdict]) -> Verdict:
    """Return one verdict that is safe wherever any of *verdicts* may be the true one.

    An empty statement is answered alike by every server, so it has no say beside others.
    """
    verdicts = [verdict for verdict in verdicts if verdict is not EMPTY] or [EMPTY]
    chosen = min(verdicts, key=lambda verdict: (_CARE.index(verdict.target), verdict.unsure))
    effects = 0
    for verdict in verdicts:
        effects |= verdict.effects
    if chosen.target is Target.LOCAL and len({verdict.target for verdict in verdicts}) > 1:
        return Verdict(Target.PRIMARY, "an executable comment decides what it is", effects)
    return Verdict(chosen.target, chosen.reason, effects, chosen.unsure, chosen.unknown)
