"""Invoices are drawn in a process of their own: a thousand lines take seconds, in which a thread would block calls.

Those of customers mostly have few lines, which take milliseconds. Mails bring many of them, so a thread draws these.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from weakref import WeakKeyDictionary

from fulfilment.v1 import customer_invoices_pb2, shipping_pb2
from ledger.refusals import RateLimited

_HOUSE = Path(__file__).parents[2]
_MOST_SECONDS = 60.0
_FEW_LINES = 50
MOST_ASKED = 10
_SOON_MILLISECONDS = 1000
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_asked: Counter[str] = Counter()
"""How many drawings each client waits for."""


async def drawn_for(
    client: str, invoice: shipping_pb2.CommercialInvoice | customer_invoices_pb2.CustomerInvoice
) -> bytes:
    """The invoice as PDF, for a client, which may wait for a few at once; raises RateLimited."""
    if _asked[client] >= MOST_ASKED:
        raise RateLimited("drawings at once", MOST_ASKED, _SOON_MILLISECONDS)
    _asked[client] += 1
    try:
        return await drawn(invoice)
    finally:
        _asked[client] -= 1


def _one_at_a_time() -> asyncio.Semaphore:
    """Of this event loop: a semaphore belongs to the first that waits for it."""
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(1))


async def drawn(invoice: shipping_pb2.CommercialInvoice | customer_invoices_pb2.CustomerInvoice) -> bytes:
    """The invoice as PDF. One is drawn at a time, for a minute at most; cancelling the wait ends the process."""
    if isinstance(invoice, customer_invoices_pb2.CustomerInvoice) and len(invoice.lines) <= _FEW_LINES:
        async with _one_at_a_time():
            return await asyncio.to_thread(_drawn_here, invoice)
    commercial = isinstance(invoice, shipping_pb2.CommercialInvoice)
    async with _one_at_a_time(), asyncio.timeout(_MOST_SECONDS):
        pipe = asyncio.subprocess.PIPE
        words = (sys.executable, "-m", f"adapters.invoices.{'commercial' if commercial else 'customer'}_pdf")
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


def _drawn_here(invoice: customer_invoices_pb2.CustomerInvoice) -> bytes:
    # Most processes never draw: what it takes is loaded with the first one.
    from adapters.invoices.customer_pdf import draw

    return draw(invoice)
