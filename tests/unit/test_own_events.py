"""What an own site is told: CloudEvents that are the same whenever they are sent, and what its answers mean."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from adapters.edges.agreement import Account
from adapters.edges.delivery import BadSignature, Delivery
from adapters.edges.effects import Telling, WantsNoMore
from adapters.edges.http import Http, Reply, SystemUnreachable
from adapters.edges.meaning import NotUnderstood
from adapters.edges.systems import SYSTEMS
from adapters.shops.site import schemas
from adapters.shops.site.events import TYPES
from ledger.terms.effects import (
    Cancellation,
    Effect,
    EffectKind,
    FollowNumber,
    Fulfilment,
    OrderStanding,
    RefundAsked,
    ShopLine,
    StockLevel,
)
from tests.support.own_site import SECRET

SCHEMA = Path(__file__).parents[3] / "shared" / "data" / "vendors" / "cloudevents" / "cloudevents.schema.json"
WEBHOOK = SYSTEMS["webhook"]
AT = datetime(2026, 1, 8, 15, tzinfo=UTC)
LINES = (ShopLine(1, "TEA", 2, "a"), ShopLine(2, "CUP", 1))
EFFECTS: dict[str, Effect] = {
    "fulfilment.order": OrderStanding("1001", "on_hold", ("incomplete",)),
    "fulfilment.shipment": Fulfilment("1001", 1, LINES, "dhl", "A1", AT, "https://example.org/A1", completes=True),
    "fulfilment.cancellation": Cancellation("1001", LINES, whole=False, reason="out_of_stock"),
    "fulfilment.refund": RefundAsked("1001", "r1", 500, "EUR", "damaged", LINES),
    "fulfilment.stock": StockLevel("TEA", 7),
}


class Address:
    """Answers each request with a status."""

    def __init__(self, status: int = 204) -> None:
        self.status = status
        self.came: list[tuple[str, dict[str, str], bytes]] = []

    async def request(self, method: str, url: str, *, headers: dict[str, str], content: bytes) -> Reply:
        self.came.append((url, headers, content))
        return Reply(self.status, {}, b"")


def account(**more: str) -> Account:
    return Account("events", {"url": "https://shop.example.org/hooks", **more}, ({"secret": SECRET},))


def tell(effect: Effect, address: Address, key: str = "k1") -> None:
    asyncio.run(WEBHOOK.carry_out(cast("Http", address), account(), Telling(effect, key)))


def told(effect: Effect) -> dict[str, Any]:
    address = Address()
    tell(effect, address)
    found: dict[str, Any] = json.loads(address.came[0][2])
    return found


def test_all_that_can_be_told_is_an_event_of_its_own_type():
    assert {*EFFECTS, "fulfilment.ping"} == set(TYPES)
    assert WEBHOOK.effects == set(EffectKind) - {EffectKind.FOLLOW, EffectKind.TEXT, EffectKind.HOLD}
    with pytest.raises(TypeError):
        told(FollowNumber("dhl", "A1"))


@pytest.mark.parametrize("kind", list(EFFECTS))
def test_an_event_has_what_cloudevents_and_its_own_schema_require(kind: str):
    event = told(EFFECTS[kind])
    assert (event["type"], event["id"], event["specversion"]) == (kind, "k1", "1.0")
    assert event["subject"] == ("TEA" if kind == "fulfilment.stock" else "1001")
    schema = json.loads(schemas.schema_files()[event["dataschema"].removeprefix("/schemas/")])
    assert list(event["data"]) == schema["$defs"][schema["$ref"].rpartition("/")[2]]["required"]
    if SCHEMA.exists():
        assert set(json.loads(SCHEMA.read_text())["required"]) <= event.keys()


def test_lines_are_named_as_the_site_named_them():
    lines = told(EFFECTS["fulfilment.shipment"])["data"]["lines"]
    assert lines == [{"line_id": "a", "sku": "TEA", "units": 2}, {"line_id": "CUP", "sku": "CUP", "units": 1}]


def test_the_same_event_has_the_same_bytes_and_id_however_often_it_is_sent():
    address = Address()
    for _ in range(2):
        tell(EFFECTS["fulfilment.stock"], address)
    (_, first, body), (_, second, again) = address.came
    assert body == again
    assert first["webhook-id"] == second["webhook-id"] == "k1"


@pytest.mark.parametrize(
    ("status", "meant"), [(410, WantsNoMore), (500, SystemUnreachable), (404, NotUnderstood), (302, NotUnderstood)]
)
def test_what_an_address_answers_says_what_comes_then(status: int, meant: type[Exception]):
    with pytest.raises(meant, match=str(status)):
        tell(EFFECTS["fulfilment.stock"], Address(status))


@pytest.mark.parametrize("url", ["", "ftp://x/", "https://", "https://me@shop.example.org/", "/hooks"])
def test_an_address_has_to_be_one(url: str):
    with pytest.raises(ValueError, match="url is not an address"):
        WEBHOOK.checked({"url": url})


def test_nothing_is_taken_in_by_it_and_a_secret_that_signs_nothing_is_said():
    with pytest.raises(BadSignature):
        WEBHOOK.verify(Delivery({}, b"{}", ""), account(), AT)
    unsigned = Account("events", account().settings, ({"secret": "plain"},))
    (check,) = asyncio.run(WEBHOOK.check(cast("Http", Address()), unsigned))
    assert "cannot be signed" in check.problem
