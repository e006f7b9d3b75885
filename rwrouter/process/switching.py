"""Carries a switchover out: the operator's hands on the servers, and the router's own gate for writes.

`cluster/switchover.py` says which steps, and how each is undone. Here they are done, one after the other, on all
servers of a step at the same time; a failure undoes what was done, last first.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from rwrouter.cluster.standing import Standing
from rwrouter.cluster.steps import Action, Forbidden, Kind, Order, Plan, Statement, Step
from rwrouter.cluster.switchover import make_plan, still_missing
from rwrouter.model import Server, Snapshot, State
from rwrouter.process.hands import Hands, StepFailed
from rwrouter.process.progress import Progress, Report, shown

log = logging.getLogger("rwrouter.switchover")

LOOK_SECONDS: Final = 0.02
"""Between two looks at whether a replica has connected."""

UNDO_SECONDS: Final = 5.0
"""How long a rolled-back primary may take to be seen, before writes flow anyway: they wait for one then."""


class Gate(Protocol):
    """What the router does about its own clients."""

    def hold(self, candidate: str) -> None:
        """Have all workers hold writes and new transactions: *candidate* is made the primary."""

    def release(self) -> None:
        """Have them flow again."""

    async def drained(self, limit: float) -> int:
        """Return how many transactions and writes are still under way on the primary after *limit* s at most."""

    def end_transactions(self) -> None:
        """End the sessions whose transactions are still open on the primary."""

    async def recognised(self, name: str, limit: float) -> bool:
        """Have the servers looked at; return whether *name* is seen to be the primary within *limit* s."""


class Switchover:
    """One switchover, from its checks to its end. *report* is true at any moment."""

    def __init__(self, order: Order, snapshot: Snapshot, gate: Gate, hands: Hands) -> None:
        self.report = Report(order, snapshot.primary or "")
        self._snapshot = snapshot
        self._gate = gate
        self._hands = hands
        self._plan: Plan | None = None
        self._held_at = 0.0
        self._touched: set[tuple[str, str]] = (
            set()
        )  # step and server, where something was done, or may have been

    async def run(self) -> None:
        """Carry it out. Raises nothing: the report tells."""
        report = self.report
        try:
            await self._prepare()
            if not report.order.dry_run:
                await self._carry_out()
            else:
                report.state = "planned"
        except Forbidden as exc:
            report.state, report.problems = "refused", list(exc.problems)
        finally:
            self._hands.close()
            if not report.is_over:  # cancelled, or a bug of ours
                self._gate.release()
                report.state = "failed"
        level = logging.INFO if report.state in {"done", "planned"} else logging.WARNING
        log.log(
            level,
            'event=switchover state="%s" old=%s new=%s held_seconds=%s why="%s"',
            report.state,
            report.old,
            report.order.to,
            report.held_seconds,
            "; ".join(report.problems),
        )

    # -- before

    async def _prepare(self) -> None:
        """Ask all servers, and make the plan. Raises Forbidden."""
        report, snapshot = self.report, self._snapshot
        names = [server.name for server in snapshot.servers]
        if report.order.to not in names:
            raise Forbidden(
                [f"there is no server {report.order.to!r}: there are {', '.join(names) or 'none'}"]
            )
        if not report.old:
            raise Forbidden([f"there is no primary that could hand over: {snapshot.problem}"])
        if report.order.to == report.old:
            raise Forbidden([f"{report.old} is the primary already"])
        missing: dict[str, str] = {}
        # The primary last: what it has then, it had when the others were asked, or has got since.
        others = [server for server in snapshot.servers if server.name != report.old]
        found = await asyncio.gather(*(self._look(server, missing) for server in others))
        found.append(await self._look(snapshot.server(report.old), missing))
        standings = {one.name: one for one in found if one is not None}
        self._plan = make_plan(report.order, report.old, standings, missing)
        report.warnings = list(self._plan.warnings)
        report.steps = [Progress(step) for step in self._plan.steps]

    async def _look(self, server: Server, missing: dict[str, str]) -> Standing | None:
        if server.state in {State.DOWN, State.DISABLED}:
            missing[server.name] = f"is {server.state}"
            return None
        try:
            return await self._hands.look(server.name, self.report.order.catch_up)
        except StepFailed as exc:
            if server.name not in {self.report.old, self.report.order.to}:
                raise Forbidden([f"{exc}; disable it first if it is to be left out"]) from exc
            raise Forbidden([str(exc)]) from exc

    # -- the steps

    async def _carry_out(self) -> None:
        report = self.report
        report.state = "running"
        for index, one in enumerate(report.steps):
            one.state = "running"
            began = time.monotonic()
            try:
                await self._do(one.step)
            except StepFailed as exc:
                one.state, one.error = "failed", str(exc)
                if not one.step.is_cleanup:
                    report.problems.append(f"{one.step.name}: {exc}")
                    await self._roll_back(index)
                    return
                report.warnings.append(
                    f"{one.step.name}: {exc}; do it by hand: {shown(one.step, undo=False)}"
                )
            else:
                one.state = "done"
            finally:
                one.seconds = round(time.monotonic() - began, 3)
                log.info(
                    "event=switchover_step step=%s state=%s seconds=%s", one.step.name, one.state, one.seconds
                )
        report.state = "done"

    async def _do(self, step: Step) -> None:
        gate, report = self._gate, self.report
        match step.kind:
            case Kind.HOLD:
                self._held_at = time.monotonic()
                gate.hold(report.order.to)
            case Kind.DRAIN:
                await self._drain(step)
            case Kind.RUN:
                await self._on_each(step.actions, lambda action: self._run(step, action))
            case Kind.CATCH_UP:
                await self._catch_up(step)
            case Kind.VERIFY:
                await self._on_each(step.actions, lambda action: self._verify(action, step.timeout))
            case Kind.RECOGNISE:
                if not await gate.recognised(report.order.to, step.timeout):
                    raise StepFailed(
                        f"{report.order.to} was not seen to be the primary within {step.timeout:g} s"
                    )
            case Kind.RELEASE:
                gate.release()
                report.held_seconds = round(time.monotonic() - self._held_at, 3)

    async def _on_each(self, actions: Iterable[Action], do: Callable[[Action], Any]) -> None:
        """Do something on all servers of *actions* at the same time. Raises StepFailed when all have ended."""
        outcomes = await asyncio.gather(*map(do, actions), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for failure in failures:
            if not isinstance(failure, StepFailed):
                raise failure
        if failures:
            raise StepFailed("; ".join(map(str, failures)))

    async def _run(self, step: Step, action: Action) -> None:
        for statement in action.statements:
            try:
                await self._hands.run(action.server, statement, step.timeout)
            except StepFailed as exc:
                if not exc.is_refusal:
                    self._touched.add((step.name, action.server))
                raise
            self._touched.add((step.name, action.server))

    async def _run_back(self, action: Action, limit: float) -> None:
        for statement in action.undo:
            await self._hands.run(action.server, statement, limit)

    async def _drain(self, step: Step) -> None:
        left = await self._gate.drained(step.timeout)
        if left and self.report.order.kills:
            self._gate.end_transactions()
            left = await self._gate.drained(step.timeout)
        if left:
            raise StepFailed(
                f"{left} transaction(s) still open on {self.report.old} after {step.timeout:g} s: try again when "
                "they have ended, wait longer (--drain), or end them (--transactions kill)"
            )

    async def _catch_up(self, step: Step) -> None:
        asked, waits = step.actions
        rows = await self._hands.run(asked.server, asked.statements[0], step.timeout)
        position = str(next(iter(rows[0].values())) or "")
        statement = waits.statements[0]
        rows = await self._hands.run(
            waits.server, Statement(statement.sql, (position, *statement.arguments[1:])), step.timeout
        )
        if next(iter(rows[0].values())) != 0:
            raise StepFailed(
                f"{waits.server} has not got everything of {asked.server} within {step.timeout:g} s"
            )

    async def _verify(self, action: Action, limit: float) -> None:
        assert self._plan is not None  # noqa: S101  made before the first step
        deadline = time.monotonic() + limit
        while True:
            rows = await self._hands.run(action.server, action.statements[0], limit)
            try:
                why = still_missing(rows, self._plan.new)
            except ValueError as exc:
                raise StepFailed(f"{action.server}: {exc}") from exc
            if not why:
                return
            if time.monotonic() > deadline:
                raise StepFailed(f"{action.server}: {why}")
            await asyncio.sleep(LOOK_SECONDS)

    # -- back

    async def _roll_back(self, failed: int) -> None:
        """Undo the steps up to the one at index *failed*, last first, and let writes flow again."""
        report = self.report
        report.state = "rolling back"
        is_whole = True
        for one in reversed(report.steps[: failed + 1]):
            wrong = await self._undo(one.step)
            if wrong:
                is_whole = False
                one.error = "; ".join(filter(None, (one.error, f"not undone: {wrong}")))
                report.problems.append(
                    f"{one.step.name} is not undone: {wrong}; by hand: {shown(one.step, undo=True)}"
                )
            elif one.state == "done":
                one.state = "undone"
        report.state = "rolled back" if is_whole else "failed"

    async def _undo(self, step: Step) -> str:
        """Undo *step*; return what went wrong with that. Each server is tried, whatever becomes of the others."""
        if step.kind is Kind.HOLD:
            await self._gate.recognised(self.report.old, UNDO_SECONDS)
            self._gate.release()
            self.report.held_seconds = round(time.monotonic() - self._held_at, 3)
        if step.kind is not Kind.RUN:
            return ""
        try:
            await self._on_each(
                (action for action in step.actions if (step.name, action.server) in self._touched),
                lambda action: self._run_back(action, step.timeout),
            )
        except StepFailed as exc:
            return str(exc)
        return ""
