"""How a story of the ledger is told: what is sent, what is read back, and each sentence that has to hold.

``bad_day.py`` tells one.
"""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from google.protobuf import descriptor_pool, message_factory

from fulfilment.client import Client, Refused
from fulfilment.v1 import batch_pb2, orders_pb2, parcels_pb2, stock_pb2, supplier_orders_pb2

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WIDTH = 100
PATIENCE_SECONDS = 60.0
"""How long the ledger may take to notice by itself what has run out."""

BERLIN: dict[str, Any] = {"lines": ["1 Elm Street"], "city": "Berlin", "postal_code": "10115", "country": "DE"}
TITLES = {"mug": "Blue mug", "teapot": "Round teapot", "lamp": "Paper lamp", "bowl": "Green bowl"}
PRICES = {"mug": 990, "teapot": 2490, "lamp": 3900, "bowl": 1290}


class Contradicted(Exception):
    """The service answers something else than the story says."""


class Ledger(Client):
    """The client of the story: ``ask`` reads, ``send`` sends a command, ``send_all`` several in one message."""

    def __init__(self, server: str, tenant: str, token: str = "") -> None:
        super().__init__(server, tenant=tenant, actor="mia", token=token, timeout_seconds=30)
        stubs = [each for each in vars(self).values() if type(each).__name__.endswith("ServiceStub")]
        self._calls: dict[str, Any] = {rpc: call for stub in stubs for rpc, call in vars(stub).items()}

    def ask(self, rpc: str, **fields: Any) -> Any:
        return self._calls[rpc](_request(rpc, **fields))

    def send(self, rpc: str, **fields: Any) -> Any:
        return self.ask(rpc, context=self.context(), **fields)

    def send_all(self, commands: Sequence[tuple[str, dict[str, Any]]]) -> Any:
        """Sends what happened long ago in one message, so that no clock runs between its steps."""
        asked = [
            batch_pb2.BatchCommand(**{_snake(rpc): _request(rpc, context=self.context(), **fields)})
            for rpc, fields in commands
        ]
        outcomes = self.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=asked)).outcomes
        for (rpc, _), outcome in zip(commands, outcomes, strict=True):
            if outcome.HasField("refusal"):
                raise Contradicted(f"{rpc} was refused: {outcome.refusal.message}")
        return outcomes[-1].receipt

    def refused(self, rpc: str, **fields: Any) -> tuple[str, str]:
        """The reason of a refusal and its sentence."""
        try:
            self.send(rpc, **fields)
        except Refused as refused:
            return refused.reason, refused.message
        return "", "it was not refused"


def _request(rpc: str, **fields: Any) -> Any:
    kind = descriptor_pool.Default().FindMessageTypeByName(f"fulfilment.v1.{rpc}Request")
    return message_factory.GetMessageClass(kind)(**fields)


def _snake(rpc: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in rpc)[1:]


def euro(amount_minor: int) -> str:
    return f"{amount_minor / 100:.2f} EUR"


def word(enum: Any, number: int) -> str:
    """An enum's value as a word: ``on hold``."""
    prefix = enum.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(enum.Name(number)).removeprefix(prefix).lower().replace("_", " ")


class Story:
    """What chapters are told with."""

    def __init__(self, ledger: Ledger, day: datetime, out: Callable[[str], object] = print) -> None:
        self.ledger, self.day, self._out = ledger, day, out

    # --- output ---

    def chapter(self, title: str) -> None:
        self._out(f"\n{title}\n{'-' * len(title)}")

    def say(self, hour: str, text: str) -> None:
        self._print(f"{hour:>5}", text)

    def check(self, text: str, found: object, wanted: object) -> None:
        """A sentence that the service has to confirm."""
        if found != wanted:
            self._print("    ✘", text)
            raise Contradicted(f"{text}: the service says {found!r}, the story {wanted!r}")
        self._print("    ✔", text)

    def _print(self, mark: str, text: str) -> None:
        self._out(textwrap.fill(f"{mark}  {text}", WIDTH, subsequent_indent=" " * 7))

    def at(self, clock: str, days_ago: int = 0) -> datetime:
        hours, minutes = clock.split(":")
        return self.day - days_ago * DAY + timedelta(hours=int(hours), minutes=int(minutes))

    def until(self, what: str, read: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
        """Waits for what the service does by itself, and reads it."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not holds(found := read()):
            if time.monotonic() > give_up_at:
                raise Contradicted(f"{what} did not come within {PATIENCE_SECONDS:g} s")
            time.sleep(0.2)
        return found

    # --- reads and requests ---

    def order(self, number: str) -> Any:
        return self.ledger.ask("GetOrder", order_id=f"shop/{number}").order

    def case(self, case_id: str) -> Any:
        return self.ledger.ask("GetCase", case_id=case_id).case

    def recovery(self, recovery_id: str) -> Any:
        return self.ledger.ask("GetRecovery", recovery_id=recovery_id).recovery

    def parcel(self, carrier: str, number: str) -> Any:
        return self.ledger.ask("GetParcel", carrier=carrier, tracking_number=number).parcel

    def stock(self, supplier_id: str, sku: str) -> Any:
        item = stock_pb2.Item(supplier_id=supplier_id, sku=sku)
        return self.ledger.ask("GetStock", items=[item]).levels[0]

    def feed(self, supplier_id: str, sku: str, quantity: int, version: int, at: datetime) -> None:
        item = stock_pb2.Item(supplier_id=supplier_id, sku=sku)
        self.ledger.send("RecordFeed", item=item, quantity=quantity, feed_version=version, as_of=at)

    def placing(self, number: str, sku: str, units: int, supplier_id: str, at: datetime, **more: Any) -> dict[str, Any]:
        """A paid order of one line, as a shop sends it."""
        line: dict[str, Any] = {"sku": sku, "title": TITLES[sku], "quantity": units, "unit_price_minor": PRICES[sku]}
        known = more.pop("line", {})
        return {
            "channel": "shop",
            "channel_order_id": number,
            "placed_at": at,
            "currency": "EUR",
            "lines": [orders_pb2.OrderLine(**line, supplier_id=supplier_id, **known)],
            "customer": orders_pb2.Customer(name="Ann Example", email="ann@example.org", phone="+49 30 1234567"),
            "ship_to": orders_pb2.Address(**more.pop("to", BERLIN)),
            "payment": orders_pb2.PAYMENT_STATE_PAID,
            **more,
        }

    def place(self, number: str, sku: str, units: int, supplier_id: str, at: datetime, **more: Any) -> Any:
        self.ledger.send("PlaceOrder", **self.placing(number, sku, units, supplier_id, at, **more))
        return self.order(number)

    def dispatching(
        self, supplier_order_id: str, units: int, tracking: str, sent: datetime, left: datetime
    ) -> list[tuple[str, Any]]:
        """A supplier got its order, took it on, and handed the goods to DHL."""
        so, accepted = supplier_order_id, supplier_orders_pb2.LineAnswer(line_no=1, accepted=units)
        return [
            ("SendSupplierOrder", {"supplier_order_id": so, "at": sent}),
            ("AcknowledgeSupplierOrder", {"supplier_order_id": so, "lines": [accepted], "at": sent + HOUR / 2}),
            ("ShipSupplierOrder", {"supplier_order_id": so, "carrier": "dhl", "tracking_number": tracking, "at": left}),
        ]

    def scanning(self, tracking: str, status: Any, at: datetime, **more: Any) -> tuple[str, Any]:
        scan = parcels_pb2.Checkpoint(**{"at": at, "status": status, **more})
        return ("RecordCheckpoints", {"carrier": "dhl", "tracking_number": tracking, "checkpoints": [scan]})

    def facts(self, name: str) -> list[dict[str, Any]]:
        """What was recorded under a name, from the log itself."""
        return [json.loads(each.json) for each in self.log() if each.name == name]

    def log(self) -> list[Any]:
        return [fact for page in self.ledger.ask("StreamFacts") for fact in page.facts]
