"""How many invoices are drawn at once."""

from __future__ import annotations

import asyncio

import pytest

from adapters.invoices import drawing
from fulfilment.v1 import shipping_pb2
from ledger.refusals import RateLimited

INVOICE = shipping_pb2.CommercialInvoice()


async def test_a_client_may_wait_for_ten_drawings_and_hinders_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = asyncio.Event()

    async def drawn(_: object) -> bytes:
        await waits.wait()
        return b"%PDF"

    monkeypatch.setattr(drawing, "drawn", drawn)
    asked = [asyncio.create_task(drawing.drawn_for("shop", INVOICE)) for _ in range(10)]
    other = asyncio.create_task(drawing.drawn_for("desk", INVOICE))
    await asyncio.sleep(0)
    with pytest.raises(RateLimited, match="there may be 10 drawings at once at most"):
        await drawing.drawn_for("shop", INVOICE)
    asked[0].cancel()  # who stops waiting makes room
    await asyncio.wait(asked[:1])
    another = asyncio.create_task(drawing.drawn_for("shop", INVOICE))
    waits.set()
    assert set(await asyncio.gather(other, another, *asked[1:])) == {b"%PDF"}
