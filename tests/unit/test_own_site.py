"""Documents of an own site: what proves them, what is wrong with them to the place, and what they mean."""

from __future__ import annotations

import asyncio
import base64
import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.edges.agreement import Account
from adapters.edges.delivery import AtTheDoor, BadSignature, Delivery, Received, Stale
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.systems import SYSTEMS
from adapters.rpc.commands import Edge
from adapters.rpc.orders.asks import READERS
from adapters.shops.site import events, schemas
from adapters.shops.site.checking import UnfitDocument
from fulfilment.v1 import orders_pb2
from ledger.engine.keyring import KeyRing
from ledger.engine.sealing import Sealer
from tests.support.hostile import places
from tests.support.own_site import NOW, SECRET, delivery, signature, site_order, told

SITE = SYSTEMS["site"]
VECTORS = Path(__file__).parents[3] / "shared" / "data" / "vendors" / "signatures" / "vectors.json"
EDGE = Edge(Sealer(KeyRing.new()).of("tenant_shop"), NOW, "edge", "", [])


def account(*secrets: str, **settings: str) -> Account:
    return Account("web", settings, tuple({"secret": each} for each in secrets or (SECRET,)))


def received(document: Any) -> Received:
    found = SITE.verify(delivery(document), account(), NOW)
    assert found is not None
    return found


def faults(document: Any) -> dict[str, str]:
    """What is wrong, by its pointer."""
    with pytest.raises(UnfitDocument) as refused:
        SITE.verify(delivery(document), account(), NOW)
    answer = refused.value.answer
    assert answer is not None
    assert (answer.status, answer.content_type) == (422, "application/problem+json")
    return {each["pointer"]: each["description"] for each in json.loads(answer.body)["violations"]}


# --- the door -------------------------------------------------------------------------------------


@pytest.mark.skipif(not VECTORS.exists(), reason=f"{VECTORS} is not there")
def test_the_signatures_of_the_reference_libraries_are_told_apart():
    for vector in json.loads(VECTORS.read_text())["standard_webhooks"]:
        now = datetime.fromtimestamp(vector["timestamp"], UTC)
        headers = {
            "webhook-id": vector["id"],
            "webhook-timestamp": str(vector["timestamp"]),
            "webhook-signature": vector["signature"],
        }
        expected = UnfitDocument if vector["valid"] else BadSignature  # the body is another one's
        with pytest.raises(expected):
            SITE.verify(Delivery(headers, vector["body"].encode(), ""), account(vector["secret"]), now)


def test_a_document_is_known_by_its_id_and_told_for_its_order():
    found = received(told("order", site_order()))
    assert (found.topic, found.object_id, found.source_id, found.whole) == ("order", "1001", "m1", True)
    assert found.happened_at == datetime(2026, 1, 5, 9, tzinfo=UTC)
    cancelled = received(told("order.cancellation", {"order_id": "1001"}))
    assert (cancelled.topic, cancelled.whole) == ("order.cancellation", False)


def test_while_secrets_change_any_valid_one_is_enough_and_several_signatures_are_tried():
    other = "whsec_" + base64.b64encode(b"another secret of 24 byte").decode()
    by_old = delivery(told("order", site_order()))
    assert SITE.verify(by_old, account(other, SECRET), NOW)
    both = {**by_old.headers, "webhook-signature": f"v2,x v1,AAAA {by_old.headers['webhook-signature']}"}
    assert SITE.verify(Delivery(both, by_old.raw, ""), account(), NOW)
    with pytest.raises(BadSignature):
        SITE.verify(by_old, account(other), NOW)


def test_a_signature_of_before_or_from_the_future_is_stale():
    signed = delivery(told("order", site_order()))
    for away in (timedelta(seconds=301), timedelta(seconds=-301)):
        with pytest.raises(Stale):
            SITE.verify(signed, account(), NOW + away)


def ed25519(body: bytes, key: Ed25519PrivateKey) -> Delivery:
    seconds = str(int(NOW.timestamp()))
    proof = base64.b64encode(key.sign(b"m1." + seconds.encode() + b"." + body)).decode()
    headers = {"webhook-id": "m1", "webhook-timestamp": seconds, "webhook-signature": f"v1,AAAA v1a,{proof}"}
    return Delivery(headers, body, "")


def test_a_site_may_keep_its_key_and_give_the_public_half_which_signs_nothing():
    key = Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = "whpk_" + base64.b64encode(raw).decode()
    body = json.dumps(told("order", site_order())).encode()
    assert SITE.verify(ed25519(body, key), account(public), NOW)
    with pytest.raises(BadSignature):
        SITE.verify(ed25519(body, Ed25519PrivateKey.generate()), account(public), NOW)
    with pytest.raises(BadSignature):
        SITE.verify(Delivery(ed25519(body, key).headers, body + b" ", ""), account(public), NOW)
    # Everybody may know it, so nobody proves anything by using it as a secret.
    for secret in (raw, public.encode()):
        forged = dict(delivery(body).headers)
        signed = f"m1.{forged['webhook-timestamp']}.".encode() + body
        forged["webhook-signature"] = signature(signed, "whsec_" + base64.b64encode(secret).decode())
        with pytest.raises(BadSignature):
            SITE.verify(Delivery(forged, body, ""), account(public), NOW)


@pytest.mark.parametrize("given", ["", "garbage", "v1,", "v1,aaa", "v1,a,b", "v1a,é", "v1a,AAAA", "\0", "v1,A" * 999])
def test_what_is_no_signature_is_refused_by_every_kind_of_key(given: str):
    body = json.dumps(told("order", site_order())).encode()
    headers = {**delivery(body).headers, "webhook-signature": given}
    for secret in (SECRET, "whpk_", "whpk_AAAA", "whsk_AAAA", "whsec_é", "plain"):
        with pytest.raises(BadSignature):
            SITE.verify(Delivery(headers, body, ""), account(secret), NOW)


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        (SECRET, ""),
        ("whsec_AAAA", "fewer than 24"),
        ("plain", "fewer than 24"),
        ("a plain secret of 24 bytes", ""),
        ("whpk_AAAA", "neither"),
        ("whsec_é", "neither"),
    ],
)
def test_whoever_tries_a_connection_hears_of_a_secret_that_proves_nothing(secret: str, problem: str):
    (check,) = asyncio.run(SITE.check(None, account(secret)))  # type: ignore[arg-type]
    assert problem in check.problem
    assert bool(problem) == bool(check.problem)


def test_every_answer_but_success_is_a_problem_that_programs_read():
    for outcome in AtTheDoor:
        answer = SITE.answer(outcome)
        if answer.status != 200:
            assert json.loads(answer.body)["status"] == answer.status
            assert answer.content_type == "application/problem+json"


# --- what fits ------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_said_at_once_with_its_place():
    line = {"sku": "TEA", "quantity": "2", "unit_price_minor": -1, "quantiy": 1, "a/b~": 1}
    data = {
        "currency": "eur",
        "lines": [line, {"quantity": 0}],
        "ship_to": {"lines": ["x" * 1001], "country": "Germany"},
        "customer": [],
        "payments": [{"payment_id": "a b", "kind": "taken", "amount_minor": 1}],
    }
    found = faults({"type": "order", "timestamp": "2026-01-05 09:00", "data": data})
    assert found.keys() == {
        *("/timestamp", "/data/currency", "/data/order_id", "/data/customer"),
        *("/data/lines/0/quantity", "/data/lines/0/unit_price_minor", "/data/lines/0/quantiy", "/data/lines/0/a~1b~0"),
        *("/data/lines/1/sku", "/data/lines/1/quantity", "/data/ship_to/lines/0", "/data/ship_to/country"),
        *("/data/payments/0/payment_id", "/data/payments/0/kind"),
    }
    assert found["/data/lines/0/quantity"] == "expected int, got str"
    assert found["/data/lines/0/quantiy"] == "is no field; is it quantity?"
    assert found["/data/order_id"] == "is required"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"currency": "XXQ"}, "/data/currency"),
        ({"placed_at": "2026-01-07T09:00:00Z"}, "/data/placed_at"),
        ({"promised_by": "2026-01-12T09:00:00Z"}, "/data/promised_day"),
        ({"promised_day": "2026-02-30"}, "/data/promised_day"),
        ({"lines": [{"sku": "TEA", "quantity": 1}, {"sku": "TEA", "quantity": 1}]}, "/data/lines/1"),
        ({"lines": [{"sku": "T\u200bA", "quantity": 1}]}, "/data/lines/0/sku"),
        ({"lines": [{"sku": "TEA\n\x07", "quantity": 1}]}, "/data/lines/0/sku"),
        ({"lines": [{"sku": "T", "quantity": 10**6, "unit_price_minor": 10**15}]}, "/data/lines"),
        ({"lines": []}, "/data/lines"),
        ({"charges": [{"charge_id": "a", "kind": "discount", "amount_minor": 1}]}, "/data/charges/0/amount_minor"),
        ({"charges": [{"charge_id": "a", "kind": "discount", "amount_minor": -9999}]}, "/data/charges"),
        ({"charges": [{"charge_id": "a", "kind": "tax", "amount_minor": 1}] * 2}, "/data/charges/1"),
        ({"payments": [{"payment_id": "a", "kind": "captured", "amount_minor": 0}]}, "/data/payments/0/amount_minor"),
        ({"payments": [{"payment_id": "a\n", "kind": "captured", "amount_minor": 1}]}, "/data/payments/0/payment_id"),
        ({"order_id": "漢" * 100}, "/data/order_id"),
        ({"order_id": " "}, "/data/order_id"),
    ],
)
def test_what_only_the_ledger_would_refuse_is_said_at_the_door(changes: dict[str, Any], pointer: str):
    assert pointer in faults(told("order", site_order(**changes)))


def test_null_is_as_absent_and_another_type_of_document_is_named():
    wanted = site_order(note=None, customer={"name": None, "email": "a@example.org"}, ship_to=None)
    assert received(told("order", wanted)).object_id == "1001"
    assert "/data/lines" in faults(told("order", site_order(lines=None)))
    assert "order.refund" in faults(told("order.changed", {}))["/type"]
    assert faults([]) == {"": "is no object"}


@pytest.mark.parametrize(
    ("once", "twice", "pointer"),
    [
        ('"currency": "EUR"', '"currency": "EUR", "currency": "USD"', "/data/currency"),
        ('"sku": "CUP"', '"sku": "CUP", "sku": "CUP"', "/data/lines/1/sku"),
        ('"type": "order"', '"type": "order", "a/b": 1, "a/b": 2', "/a~1b"),
        ('"type": "order"', '"type": "order", "type": "order"', "/type"),
    ],
)
def test_a_name_that_is_given_twice_is_refused_with_its_place(once: str, twice: str, pointer: str):
    body = json.dumps(told("order", site_order()))
    assert body.count(once) == 1
    assert faults(body.replace(once, twice).encode()) == {pointer: "is given twice"}


def test_a_name_that_is_given_twice_as_deep_as_can_be_is_no_crash():
    deep = b'{"a":' * 50_000 + b'{"b":1,"b":2}' + b"}" * 50_000
    with pytest.raises(UnfitDocument):
        SITE.verify(delivery(deep), account(), NOW)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe{}", b"[" * 100_000, '{"type":"é"}'.encode("latin-1"), b"NaN"])
def test_what_is_no_json_is_a_bad_request(body: bytes):
    with pytest.raises(UnfitDocument) as refused:
        SITE.verify(delivery(body), account(), NOW)
    assert refused.value.answer is not None
    assert refused.value.answer.status == 400


def test_the_schemas_are_whole_and_name_what_is_required():
    files = {name: json.loads(body) for name, body in schemas.schema_files().items()}
    sent = {"order.json", "payment.json", "cancellation.json", "refund.json"}
    assert files.keys() == sent | {f"{kind}.json" for kind in events.TYPES}
    for name in sent:
        whole = files[name]["$defs"][files[name]["$ref"].rpartition("/")[2]]
        assert set(whole["required"]) == {"type", "timestamp", "data"}
        for each in files[name]["$defs"].values():
            assert each["additionalProperties"] is False, name
    assert files["order.json"]["$defs"]["SiteOrder"]["required"] == ["order_id", "currency", "lines"]
    # What is told may have more names later, and none less.
    told_of = files["fulfilment.shipment.json"]["$defs"]["ShipmentEvent"]
    assert told_of["required"] == list(told_of["properties"])


# --- what it means --------------------------------------------------------------------------------


class AnyOrder(KnownNow):
    """A ledger that has every order, as it was placed by a document of before, or none."""

    def __init__(self, there: orders_pb2.Order | None = None, before: Any = None) -> None:
        super().__init__({}, complete=True)
        self._there = there
        self._raw = json.dumps(before).encode() if before is not None else None

    def order(self, order_id: str) -> orders_pb2.Order | None:
        return self._there

    def before(self) -> bytes | None:
        return self._raw


def understood(document: Any, known: KnownNow | None = None) -> Understood:
    body = json.dumps(document).encode()
    return SITE.understand(received(document), body, account(), known or AnyOrder())


def require_whole(found: Understood) -> None:
    """The ledger's readers take every command as it is: they raise Malformed for anything else."""
    for each in found.wanted:
        READERS[type(each.request)].read(each.request, EDGE)


def there(document: Any) -> orders_pb2.Order:
    """The order as the ledger has it after it was placed."""
    (placed,) = understood(document).wanted
    asked: Any = placed.request
    lines = [
        orders_pb2.OrderLineState(line=line, wanted=line.quantity, wanted_minor=cost(line)) for line in asked.lines
    ]
    return orders_pb2.Order(
        order_id=f"{asked.channel}/{asked.channel_order_id}",
        status=orders_pb2.ORDER_STATUS_CONFIRMED,
        currency=asked.currency,
        lines=lines,
        charges=asked.charges,
        payments=asked.payments,
        ship_to=orders_pb2.Address(country=asked.ship_to.country, region=asked.ship_to.region),
    )


def cost(line: orders_pb2.OrderLine) -> int:
    return line.total_minor if line.HasField("total_minor") else line.quantity * line.unit_price_minor


def asked(found: Understood) -> list[str]:
    return [type(each.request).__name__.removesuffix("Request") for each in found.wanted]


FIRST = told("order", site_order())


def later(**changes: Any) -> dict[str, Any]:
    return told("order", site_order(**changes), "2026-01-05T10:00:00Z")


def test_an_order_that_nobody_knows_is_placed_with_all_that_it_says():
    found = understood(FIRST)
    require_whole(found)
    (wanted,) = found.wanted
    assert (wanted.object_id, wanted.version) == ("1001", "20260105T090000.000000Z")
    placed: Any = wanted.request
    assert (placed.channel, placed.channel_order_id, placed.currency) == ("web", "1001", "EUR")
    lines = [(each.sku, each.quantity, each.channel_line_id, cost(each)) for each in placed.lines]
    assert lines == [("TEA", 2, "a", 1900), ("CUP", 1, "b", 500)]
    assert (placed.priority, placed.incoterm) == (orders_pb2.PRIORITY_EXPRESS, 1)
    assert (placed.customer.email, placed.ship_to.city) == ("ann@example.org", "Berlin")
    assert placed.invoice.buyer.tax_id == "DE1"
    assert placed.placed_at.ToJsonString() == "2026-01-05T08:59:00Z"
    assert [each.payment_id for each in placed.payments] == ["p1"]


def test_an_order_that_a_bank_took_back_is_placed_first():
    paid = [*site_order()["payments"], {"payment_id": "cb", "kind": "charged_back", "amount_minor": 100}]
    found = understood(told("order", site_order(payments=paid)))
    require_whole(found)
    assert asked(found) == ["PlaceOrder", "RecordPayment"]


def test_the_same_order_told_later_asks_for_nothing():
    assert understood(later(), AnyOrder(there(FIRST), FIRST)).ignored
    assert understood(later(), AnyOrder(there(FIRST))).ignored


def test_what_differs_from_the_document_of_before_is_what_was_changed():
    lines = [{**site_order()["lines"][0], "quantity": 3, "total_minor": 2850}, {"sku": "POT", "quantity": 1}]
    moved = {**site_order()["ship_to"], "city": "Bonn"}
    paid = [*site_order()["payments"], {"payment_id": "p2", "kind": "captured", "amount_minor": 950}]
    found = understood(later(lines=lines, ship_to=moved, payments=paid), AnyOrder(there(FIRST), FIRST))
    require_whole(found)
    assert asked(found) == ["RecordPayment", "AmendOrder", "ChangeAddress"]
    payment, amended, address = (each.request for each in found.wanted)
    assert [each.payment_id for each in payment.payments] == ["p2"]  # type: ignore[attr-defined]
    assert [(each.line_no, each.sku, each.quantity) for each in amended.lines] == [(1, "TEA", 3), (3, "POT", 1)]  # type: ignore[attr-defined]
    assert address.ship_to.city == "Bonn"  # type: ignore[attr-defined]
    assert [each.object_id for each in found.wanted] == ["1001/payment", "1001/lines", "1001/address"]


def test_lines_keep_their_numbers_by_the_sites_own_ids_in_any_order():
    lines = [{"line_id": "b", "sku": "CUP", "quantity": 2, "unit_price_minor": 500}, site_order()["lines"][0]]
    (amended,) = understood(later(lines=lines), AnyOrder(there(FIRST), FIRST)).wanted
    assert [(each.line_no, each.sku) for each in amended.request.lines] == [(2, "CUP"), (1, "TEA")]  # type: ignore[attr-defined]


def test_another_currency_than_it_was_placed_in_is_looked_at_by_a_person():
    with pytest.raises(NotUnderstood, match="/data/currency"):
        understood(later(currency="USD"), AnyOrder(there(FIRST), FIRST))


def test_news_of_an_order_that_nobody_knows_wait_for_it():
    for kind, data in (
        ("order.payment", {"order_id": "1", "payments": [{"payment_id": "p", "kind": "captured", "amount_minor": 1}]}),
        ("order.cancellation", {"order_id": "1"}),
        ("order.refund", {"order_id": "1", "refund_id": "r", "amount_minor": 1}),
    ):
        assert understood(told(kind, data)).early == "the order web/1"


def test_payments_and_refunds_are_recorded_once():
    known = AnyOrder(there(FIRST))
    refund = told("order.refund", {"order_id": "1001", "refund_id": "r1", "amount_minor": 500, "method": "card"})
    found = understood(refund, known)
    require_whole(found)
    (paid,) = found.wanted[0].request.payments  # type: ignore[attr-defined]
    assert (paid.payment_id, paid.amount.amount_minor, paid.amount.currency) == ("r1", 500, "EUR")
    again = {"payment_id": "p1", "kind": "captured", "amount_minor": 2790}
    assert understood(told("order.payment", {"order_id": "1001", "payments": [again]}), known).ignored


def test_a_cancellation_is_whole_or_by_the_sites_own_lines():
    known = AnyOrder(there(FIRST))
    found = understood(told("order.cancellation", {"order_id": "1001", "reason": "changed_mind"}), known)
    require_whole(found)
    assert not found.wanted[0].request.lines  # type: ignore[attr-defined]
    some = {"order_id": "1001", "lines": [{"line_id": "b", "units": 1}], "by": "retailer"}
    (wanted,) = understood(told("order.cancellation", some), known).wanted
    assert [(each.line_no, each.units) for each in wanted.request.lines] == [(2, 1)]  # type: ignore[attr-defined]
    assert "ORDER_CLOSED" in wanted.fine
    with pytest.raises(NotUnderstood, match="/data/lines/0/line_id"):
        understood(told("order.cancellation", {"order_id": "1001", "lines": [{"line_id": "z", "units": 1}]}), known)


# --- whatever comes -------------------------------------------------------------------------------

NASTY: list[Any] = [
    *(None, True, -1, 0, 10**30, 1.5, "", " ", [], {}, [[]], [None], "x" * 5000, "\0", "\u202e\u200b", "０１", "a\n"),
    *("é" * 200, "NaN", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-02-30", "2999-12-31T23:00:00Z"),
    *("ZZ", "XXX", "EUR", "captured", "charged_back", "pending", "2026-03-01", "1969-12-31T23:59:59Z", 10**15, "+a"),
]
DOCUMENTS = [
    FIRST,
    told("order.payment", {"order_id": "1001", "payments": site_order()["payments"]}),
    told("order.cancellation", {"order_id": "1001", "lines": [{"line_id": "a", "units": 1}], "reason": "x"}),
    told("order.refund", {"order_id": "1001", "refund_id": "r1", "amount_minor": 500, "method": "card"}),
]


def require_places(unfit: UnfitDocument, document: Any) -> None:
    """What holds each value that is wrong is in the document."""
    assert unfit.answer is not None
    for each in json.loads(unfit.answer.body)["violations"]:
        holder = document
        for part in each["pointer"].split("/")[1:-1]:
            holder = holder[int(part)] if isinstance(holder, list) else holder[part]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_document_is_refused_with_places_that_are_there_or_the_ledger_can_read_it(data: st.DataObject):
    document = json.loads(json.dumps(data.draw(st.sampled_from(DOCUMENTS))))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(document)))
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        if data.draw(st.booleans()):
            holder[path[-1]] = deepcopy(data.draw(st.one_of(st.sampled_from(NASTY), st.text(max_size=5))))
        elif isinstance(holder, dict):
            del holder[path[-1]]
    try:
        found = understood(document, AnyOrder(data.draw(st.sampled_from([None, there(FIRST)])), FIRST))
    except UnfitDocument as unfit:
        require_places(unfit, document)
    except NotUnderstood:
        pass
    else:
        require_whole(found)
