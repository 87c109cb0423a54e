"""Invoices are drawn in a process of their own: a thousand lines take seconds, in which a thread would block calls."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from fulfilment.v1 import shipping_pb2 as pb

_HOUSE = Path(__file__).parents[2]
_MOST_SECONDS = 60.0
_ONE_AT_A_TIME = asyncio.Semaphore(1)


async def drawn(invoice: pb.CommercialInvoice) -> bytes:
    """The invoice as PDF. One is drawn at a time, for a minute at most; cancelling the wait ends the process."""
    async with _ONE_AT_A_TIME, asyncio.timeout(_MOST_SECONDS):
        pipe = asyncio.subprocess.PIPE
        words = (sys.executable, "-m", "adapters.invoice_pdf")
        process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, cwd=_HOUSE)
        try:
            pdf, _ = await process.communicate(invoice.SerializeToString())
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
    if process.returncode:
        raise RuntimeError(f"the process that draws an invoice ended with code {process.returncode}")
    return pdf
