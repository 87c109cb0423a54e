"""A check of the whole ledger, in a process of its own: no call waits for it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from adapters.ledger_check.command import CheckReport
from adapters.messages.letters import Letters
from adapters.rpc.audit import AuditQueries
from adapters.rpc.calls import Call
from adapters.rpc.faults import require
from adapters.rpc.queries import require_position
from adapters.tenants import Tenants
from fulfilment.v1 import audit_pb2 as pb
from ledger.engine.sealing import Sealer
from ledger.refusals import StorageUnavailable

_LONGEST_LINE_BYTES = 8 << 20
"""Of a report, which has a few hundred findings."""


class CheckingAudit(AuditQueries):
    """AuditService, with checks on this server, one at a time."""

    def __init__(self, tenants: Tenants, sealer: Sealer, letters: Letters) -> None:
        super().__init__(tenants, sealer, letters)
        self._turn = asyncio.Lock()

    async def CheckLedger(self, request: pb.CheckLedgerRequest, call: Call) -> AsyncIterator[pb.CheckLedgerResponse]:
        require(request.after >= 0, "after", f"{request.after} is below 0")
        tenant = await self.tenant(call)
        require_position(request.after, await tenant.log.head())
        if self._turn.locked():
            yield pb.CheckLedgerResponse(progress="waits until another check is over")
        async with self._turn:
            process = await _started(str(self.tenants.pool.conninfo), tenant.name, request)
            try:
                async for answer in self._answers(process):
                    yield answer
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _answers(self, process: Process) -> AsyncIterator[pb.CheckLedgerResponse]:
        """Ends without a report where the service ends."""
        assert process.stdout is not None
        assert process.stderr is not None
        reading, said = asyncio.create_task(process.stdout.read(), name="report of a check"), ""
        try:
            while line := await process.stderr.readline():
                said = line.decode().strip()
                yield pb.CheckLedgerResponse(progress=said)
                if self.tenants.closing:
                    return
            if not (report := await reading):
                raise StorageUnavailable(f"the check ended with code {await process.wait()}: {said}")
            yield pb.CheckLedgerResponse(report=_report(msgspec.json.decode(report, type=CheckReport)))
        finally:
            reading.cancel()


async def _started(conninfo: str, tenant: str, request: pb.CheckLedgerRequest) -> Process:
    words = ["--tenant", tenant, "--json", "--workers", "1", "--after", str(request.after)]
    if request.without_read_models:
        words += [word for step in ("positions", "outcomes", "streams") for word in ("--only", step)]
    environment = {**os.environ, "FULFILMENT_DSN": conninfo}
    # A session of its own: a Ctrl-C at the terminal reaches only the service, which then ends it.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "adapters.ledger_check", *words),
        env=environment,
        stdout=PIPE,
        stderr=PIPE,
        limit=_LONGEST_LINE_BYTES,
        start_new_session=True,
    )


def _report(report: CheckReport) -> pb.LedgerReport:
    tally = report.tally
    return pb.LedgerReport(
        after=report.after,
        checked_to=report.checked_to,
        checks=[
            pb.LedgerCheck(check=name, looked_at=each.looked_at, found=each.found)
            for name, each in tally.checks.items()
        ],
        findings=[
            pb.LedgerFinding(check=each.check, what=each.what, position=each.position, stream=each.stream)
            for each in tally.first
        ],
        not_checked=[pb.NotChecked(what=what, because=because) for what, because in tally.not_checked.items()],
        milliseconds={step: round(seconds * 1000) for step, seconds in tally.seconds.items()},
    )
