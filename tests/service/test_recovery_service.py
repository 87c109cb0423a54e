"""RecoveryService over a real socket: every command, every refusal it names, and what it answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    batch_pb2,
    cases_pb2,
    common_pb2,
    obligations_pb2,
    parcels_pb2,
    supplier_orders_pb2,
)
from fulfilment.v1 import recoveries_pb2 as pb
from tests.support.case_client import Work
from tests.support.contract import request_classes
from tests.support.service import (
    Client,
    Service,
    context,
    fields_of,
    reason_of,
    stamp,
)

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
SUPPLIER_FAULT, LOSS = pb.RECOVERY_KIND_SUPPLIER_FAULT, pb.RECOVERY_KIND_CARRIER_LOSS
DAMAGE, FOUND = pb.RECOVERY_KIND_CARRIER_DAMAGE, pb.RECOVERY_KIND_FOUND_AFTER_LOSS
HASH = "ab" * 32
DOCUMENTS = pb.ClaimDocumentKind.values()[1:]


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve(at=NOW - 90 * DAY, answer_within_hours=24)
        wait_for_read_models(client)
        yield client


def wait_for_read_models(client: Client) -> None:
    """The projector is a process of its own, which needs a while to start where many tests run."""
    give_up_at = time.monotonic() + 30
    while not all(each.position for each in client.admin.GetStatus(admin_pb2.GetStatusRequest()).projections):
        assert time.monotonic() < give_up_at, "the projector did not start"
        time.sleep(0.1)


class Shop:
    """Orders with one parcel each, and short ways to say what happens to their recoveries."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def shipped(self, days_ago: int = 20, delivered_days_ago: int | None = None) -> tuple[str, str]:
        """An order that left so many days ago: its id, and its tracking number."""
        number = uuid.uuid4().hex[:12].upper()
        at = NOW - days_ago * DAY
        self.client.place(number, sku=f"sku-{number}", placed_at=stamp(at))
        about: dict[str, Any] = {"supplier_order_id": f"shop/{number}/1", "at": stamp(at)}
        self.client.orders.SendSupplierOrder(supplier_orders_pb2.SendSupplierOrderRequest(context=context(), **about))
        shipping = supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(), carrier="dhl", tracking_number=number, **about
        )
        self.client.orders.ShipSupplierOrder(shipping)
        if delivered_days_ago is not None:
            self.scan(number, parcels_pb2.PARCEL_STATUS_DELIVERED, delivered_days_ago)
        return f"shop/{number}", number

    def scan(self, number: str, status: Any, days_ago: int) -> None:
        scan = parcels_pb2.Checkpoint(at=stamp(NOW - days_ago * DAY), status=status)
        self.client.parcels.RecordCheckpoints(
            parcels_pb2.RecordCheckpointsRequest(
                context=context(), carrier="dhl", tracking_number=number, checkpoints=[scan]
            )
        )

    def supplier_asked(self, amount_minor: int = 1000) -> str:
        order_id, _ = self.shipped()
        return self.open(kind=SUPPLIER_FAULT, order_id=order_id, supplier_order_id=f"{order_id}/1", minor=amount_minor)

    def claim(self, days_ago: int = 20, kind: Any = LOSS, minor: int = 1000, **more: Any) -> str:
        order_id, number = self.shipped(days_ago, **more)
        return self.open(kind=kind, order_id=order_id, carrier="DHL", tracking_number=number, minor=minor)

    def filed(self) -> str:
        recovery_id = self.claim()
        self.collect(recovery_id)
        self.send("FileClaim", recovery_id=recovery_id)
        return recovery_id

    def paid(self) -> str:
        recovery_id = self.filed()
        self.send("DecideClaim", recovery_id=recovery_id, approved=eur(1000))
        self.send("RecordClaimPayment", recovery_id=recovery_id, reference="p-1", amount=eur(1000))
        return recovery_id

    def written_off(self) -> str:
        recovery_id = self.supplier_asked()
        self.send("WriteOffRecovery", recovery_id=recovery_id, reason="small")
        return recovery_id

    def open(self, minor: int, recovery_id: str = "", **more: Any) -> str:
        recovery_id = recovery_id or f"r-{uuid.uuid4().hex[:12]}"
        costs = [pb.RecoveryCost(cost_id="refund-1", kind=pb.COST_KIND_REFUND, amount_minor=minor)] if minor else []
        self.send("OpenRecovery", recovery_id=recovery_id, currency="EUR", costs=costs, **more)
        return recovery_id

    def collect(self, recovery_id: str) -> None:
        for kind in DOCUMENTS:
            self.send("CollectDocument", recovery_id=recovery_id, kind=kind, sha256=HASH)

    def send(self, rpc: str, **fields: Any) -> common_pb2.Receipt:
        request = request_classes()[rpc](context=context(), **fields)
        receipt: common_pb2.Receipt = getattr(self.client.recoveries, rpc)(request)
        return receipt

    def get(self, recovery_id: str, personal: bool = False) -> pb.Recovery:
        request = pb.GetRecoveryRequest(recovery_id=recovery_id, with_personal_data=personal)
        found: pb.Recovery = self.client.recoveries.GetRecovery(request).recovery
        return found


@pytest.fixture
def shop(client: Client) -> Shop:
    return Shop(client)


def eur(amount_minor: int, currency: str = "EUR") -> common_pb2.Money:
    return common_pb2.Money(amount_minor=amount_minor, currency=currency)


def refused(shop: Shop, rpc: str, **fields: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        shop.send(rpc, **fields)
    error: Any = caught.value
    return error.code().name, reason_of(error)


# --- what happens -----------------------------------------------------------------------------------


def test_a_supplier_accepts_and_settles_in_parts(shop: Shop):
    recovery_id = shop.supplier_asked()
    asked = shop.get(recovery_id)
    assert (asked.status, asked.party, asked.supplier_id) == (
        pb.RECOVERY_STATUS_PROPOSED,
        common_pb2.PARTY_SUPPLIER,
        "acme",
    )
    assert asked.answer_by.ToDatetime() > NOW.replace(tzinfo=None)
    freight = pb.RecoveryCost(cost_id="freight-1", kind=pb.COST_KIND_FREIGHT, amount_minor=500)
    shop.send("RaiseRecovery", recovery_id=recovery_id, cost=freight, currency="EUR")
    shop.send("AnswerRecovery", recovery_id=recovery_id, dispute_reason="too much")
    assert (shop.get(recovery_id).reason, shop.get(recovery_id, personal=True).reason) == ("", "too much")
    shop.send("AnswerRecovery", recovery_id=recovery_id, accepted=eur(1200))
    how: dict[str, Any] = {"method": pb.SETTLEMENT_METHOD_CREDIT_NOTE, "recovery_id": recovery_id}
    first = shop.send("SettleRecovery", reference="cn-1", amount=eur(700), **how)
    again = shop.send("SettleRecovery", reference="cn-1", amount=eur(700), **how)
    assert again.version == first.version
    shop.send("SettleRecovery", reference="cn-2", amount=eur(500), **how)
    settled = shop.get(recovery_id)
    assert settled.status == pb.RECOVERY_STATUS_SETTLED
    assert (settled.asked_minor, settled.agreed_minor, settled.received_minor) == (1500, 1200, 1200)
    assert [each.reference for each in settled.received] == ["cn-1", "cn-2"]


def test_a_claim_goes_from_the_loss_to_the_money(shop: Shop):
    recovery_id = shop.claim()
    claim = shop.get(recovery_id)
    assert (claim.status, claim.party, claim.carrier) == (
        pb.RECOVERY_STATUS_ELIGIBLE,
        common_pb2.PARTY_CARRIER,
        "dhl",
    )
    assert claim.file_by == stamp(NOW + 40 * DAY)
    assert not claim.HasField("liability_minor")
    shop.collect(recovery_id)
    assert shop.get(recovery_id).status == pb.RECOVERY_STATUS_DOCUMENTED
    shop.send("FileClaim", recovery_id=recovery_id)
    shop.send("AcknowledgeClaim", recovery_id=recovery_id, reference="DHL-7")
    shop.send("DecideClaim", recovery_id=recovery_id, denial_reason="packed badly")
    shop.send("AppealClaim", recovery_id=recovery_id, reason="photos show it")
    shop.send("DecideClaim", recovery_id=recovery_id, approved=eur(1000))
    shop.send("RecordClaimPayment", recovery_id=recovery_id, reference="p-1", amount=eur(1000))
    paid = shop.get(recovery_id)
    assert (paid.status, paid.carrier_reference, paid.claimed_minor) == (pb.RECOVERY_STATUS_PAID, "DHL-7", 1000)
    assert paid.HasField("ended_at")
    shop.send("ReturnClaimPayment", recovery_id=recovery_id, reference="b-1", amount=eur(300))
    assert shop.get(recovery_id).returned_minor == 300


def test_a_lost_parcel_that_is_delivered_is_taken_up(shop: Shop):
    order_id, number = shop.shipped()
    recovery_id = shop.open(kind=LOSS, order_id=order_id, carrier="dhl", tracking_number=number, minor=1000)
    shop.scan(number, parcels_pb2.PARCEL_STATUS_LOST, 2)
    shop.scan(number, parcels_pb2.PARCEL_STATUS_DELIVERED, 1)
    found = shop.get(f"dhl/{number}/1/found")
    assert (found.kind, found.party, found.asked_minor) == (FOUND, common_pb2.PARTY_CUSTOMER, 1000)
    assert shop.get(recovery_id).status == pb.RECOVERY_STATUS_WITHDRAWN


def test_agreed_terms_decide_what_a_claim_needs(client: Client):
    client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant="terms"))
    terms = pb.ClaimTerms(
        carrier="DHL",
        loss_waiting_days=0,
        loss_filing_days=30,
        liability=[eur(250)],
        loss_documents=[pb.CLAIM_DOCUMENT_KIND_ORDER],
    )
    with Client(client.address, "terms") as other:
        other.approve(at=NOW - 90 * DAY)
        other.admin.AgreePolicy(
            admin_pb2.AgreePolicyRequest(
                context=context(), policy=admin_pb2.Policy(claim_terms=[terms]), effective_from=stamp(NOW - 90 * DAY)
            )
        )
        shop = Shop(other)
        recovery_id = shop.claim(days_ago=1)
        shop.send("CollectDocument", recovery_id=recovery_id, kind=pb.CLAIM_DOCUMENT_KIND_ORDER, sha256=HASH)
        shop.send("FileClaim", recovery_id=recovery_id)
        claim = shop.get(recovery_id)
        assert (claim.claimed_minor, claim.liability_minor) == (250, 250)
        assert claim.file_by == stamp(NOW + 29 * DAY)


def test_commands_can_stand_in_a_batch(client: Client, shop: Shop):
    recovery_id = shop.supplier_asked()
    write_off = pb.WriteOffRecoveryRequest(context=context(), recovery_id=recovery_id, reason="small")
    answer = pb.AnswerRecoveryRequest(context=context(), recovery_id=recovery_id, accepted=eur(1))
    outcomes = client.batch.ExecuteBatch(
        batch_pb2.ExecuteBatchRequest(
            commands=[
                batch_pb2.BatchCommand(write_off_recovery=write_off),
                batch_pb2.BatchCommand(answer_recovery=answer),
            ]
        )
    ).outcomes
    assert outcomes[0].HasField("receipt")
    assert outcomes[1].refusal.reason == "RECOVERY_ENDED"


# --- what a case brings about -------------------------------------------------------------------------


def damaged(client: Client) -> Work:
    """A case for a delivered unit of an order of its own."""
    number = uuid.uuid4().hex[:12]
    work = Work(client, number, units=1, sku=f"sku-{number}")
    work.opens()
    return work


def test_a_ruling_opens_a_recovery_and_a_refund_raises_it(client: Client, shop: Shop):
    work = damaged(client)
    work.rules(cases_pb2.REMEDY_REFUND)
    recovery_id = f"{work.case_id}/supplier/acme/EUR"
    assert (shop.get(recovery_id).status, shop.get(recovery_id).asked_minor) == (pb.RECOVERY_STATUS_PROPOSED, 0)
    receipt = work.send("GrantRefund", refund_id=f"refund-{work.case_id}")
    (cost,) = shop.get(recovery_id).costs
    assert (cost.kind, cost.amount_minor) == (pb.COST_KIND_REFUND, 990)
    request = pb.ListRecoveriesRequest(case_id=work.case_id, at_least=receipt.position)
    (listed,) = client.recoveries.ListRecoveries(request).recoveries
    assert (listed.recovery_id, listed.asked_minor) == (recovery_id, 990)


def test_a_refund_is_granted_and_paid_whatever_became_of_the_recovery(client: Client, shop: Shop):
    work = damaged(client)
    work.rules(cases_pb2.REMEDY_REFUND)
    recovery_id = f"{work.case_id}/supplier/acme/EUR"
    shop.send("WriteOffRecovery", recovery_id=recovery_id, reason="small")
    refund_id = f"refund-{work.case_id}"
    work.send("GrantRefund", refund_id=refund_id)
    work.send("RecordRefundPaid", refund_id=refund_id, reference="psp-1")
    assert work.case().status == cases_pb2.CASE_STATUS_RESOLVED
    assert shop.get(recovery_id).status == pb.RECOVERY_STATUS_WRITTEN_OFF


def test_the_history_of_a_recovery_names_who_did_what(client: Client, shop: Shop):
    recovery_id = shop.filed()
    request = audit_pb2.GetHistoryRequest(recovery_id=recovery_id, with_parcels=True)
    facts = client.audit.GetHistory(request).facts
    assert {fact.stream.partition("-")[0] for fact in facts} == {"recovery", "parcel"}
    # Of the parcel the clock may notice meanwhile that it was not scanned for long.
    filed = [fact for fact in facts if fact.stream.startswith("recovery-")][-1]
    assert (filed.name, filed.actor) == ("recovery.claim_filed", "test")
    with pytest.raises(grpc.RpcError) as caught:
        client.audit.GetHistory(audit_pb2.GetHistoryRequest(recovery_id="nobody"))
    assert reason_of(caught.value) == "UNKNOWN_RECOVERY"


def test_what_somebody_wrote_is_sealed_for_the_customer_and_gone_with_the_order(client: Client, shop: Shop):
    recovery_id = shop.claim()
    shop.send("WriteOffRecovery", recovery_id=recovery_id, reason="Mr Miller never answered")
    request = audit_pb2.GetHistoryRequest(recovery_id=recovery_id, with_personal_data=True)

    def written() -> tuple[str, str]:
        last = client.audit.GetHistory(request).facts[-1]
        assert "Miller" not in last.json
        return shop.get(recovery_id, personal=True).reason, last.written

    assert written() == ("Mr Miller never answered", "Mr Miller never answered")
    assert shop.get(recovery_id).reason == ""
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(order_id=shop.get(recovery_id).order_id, even_if_open=True))
    assert written() == ("", "")


# --- what time does, and what is listed ---------------------------------------------------------------


def facts_of(client: Client, recovery_id: str) -> list[str]:
    """The names of a recovery's facts, in order."""
    names: list[str] = []
    for page in client.audit.StreamFacts(audit_pb2.StreamFactsRequest()):
        names += [fact.name for fact in page.facts if fact.stream == f"recovery-{recovery_id}"]
    return names


def until_status(shop: Shop, recovery_id: str, status: Any) -> None:
    give_up_at = time.monotonic() + 20
    while shop.get(recovery_id).status != status:
        assert time.monotonic() < give_up_at, "the clock noticed nothing"
        time.sleep(0.1)


def test_the_clock_bars_a_claim_whose_deadline_has_passed_once(client: Client, shop: Shop):
    recovery_id = shop.claim(days_ago=61)
    until_status(shop, recovery_id, pb.RECOVERY_STATUS_TIME_BARRED)
    time.sleep(2.5)
    assert facts_of(client, recovery_id).count("recovery.claim_time_barred") == 1
    breaches = client.reports.ListBreaches(
        obligations_pb2.ListBreachesRequest(clock=obligations_pb2.OBLIGATION_CLOCK_CLAIM_FILING)
    ).breaches
    assert recovery_id in [breach.object_id for breach in breaches]


def test_the_clock_notices_that_a_waiting_time_has_passed(client: Client, shop: Shop):
    order_id, number = shop.shipped(days_ago=20)
    before = stamp(NOW - 10 * DAY)
    about: dict[str, Any] = {"kind": LOSS, "order_id": order_id, "carrier": "dhl", "tracking_number": number}
    recovery_id = shop.open(minor=1000, at=before, **about)
    until_status(shop, recovery_id, pb.RECOVERY_STATUS_ELIGIBLE)
    assert facts_of(client, recovery_id) == ["recovery.opened", "recovery.claim_became_eligible"]


def test_the_clock_notices_that_a_supplier_did_not_answer(client: Client, shop: Shop):
    order_id, _ = shop.shipped()
    about: dict[str, Any] = {"kind": SUPPLIER_FAULT, "order_id": order_id, "supplier_order_id": f"{order_id}/1"}
    recovery_id = shop.open(minor=1000, at=stamp(NOW - 2 * DAY), **about)
    give_up_at = time.monotonic() + 20
    while not shop.get(recovery_id).HasField("answer_missed_at"):
        assert time.monotonic() < give_up_at, "the clock noticed nothing"
        time.sleep(0.1)
    assert facts_of(client, recovery_id) == ["recovery.opened", "recovery.answer_missed"]


def test_recoveries_are_listed_by_party_status_and_due_time(client: Client, shop: Shop):
    order_id, number = shop.shipped()
    about: dict[str, Any] = {"order_id": order_id}
    claim = shop.open(kind=LOSS, carrier="dhl", tracking_number=number, minor=1000, **about)
    asked = shop.open(kind=SUPPLIER_FAULT, supplier_order_id=f"{order_id}/1", minor=500, **about)
    head = shop.send("WriteOffRecovery", recovery_id=claim, reason="small").position

    def listed(**fields: Any) -> list[Any]:
        request = pb.ListRecoveriesRequest(order_id=order_id, at_least=head, **fields)
        return list(client.recoveries.ListRecoveries(request).recoveries)

    assert [each.recovery_id for each in listed()] == [asked, claim]
    assert [each.recovery_id for each in listed(party=common_pb2.PARTY_CARRIER)] == [claim]
    assert [each.recovery_id for each in listed(statuses=[pb.RECOVERY_STATUS_PROPOSED])] == [asked]
    (due,) = listed(due_within_hours=48)
    assert (due.recovery_id, due.asked_minor, due.party) == (asked, 500, common_pb2.PARTY_SUPPLIER)
    assert due.HasField("due")
    assert not listed(due_within_hours=0)
    first = client.recoveries.ListRecoveries(
        pb.ListRecoveriesRequest(order_id=order_id, page=common_pb2.PageRequest(page_size=1))
    )
    assert first.next_page_token


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"party": common_pb2.PARTY_RETAILER}, "party"),
        ({"statuses": [pb.RECOVERY_STATUS_UNSPECIFIED]}, "statuses[0]"),
        ({"due_within_hours": -1}, "due_within_hours"),
        ({"at_least": -1}, "at_least"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(client: Client, fields: dict[str, Any], field: str):
    with pytest.raises(grpc.RpcError) as caught:
        client.recoveries.ListRecoveries(pb.ListRecoveriesRequest(**fields))
    assert fields_of(caught.value)[:1] == [field]


# --- what is refused ----------------------------------------------------------------------------------


def test_an_unknown_recovery_is_not_found(client: Client, shop: Shop):
    method = pb.SETTLEMENT_METHOD_PAYMENT
    cost = pb.RecoveryCost(cost_id="x", kind=pb.COST_KIND_REFUND, amount_minor=1)
    calls: dict[str, dict[str, Any]] = {
        "RaiseRecovery": {"cost": cost, "currency": "EUR"},
        "AnswerRecovery": {"accepted": eur(1)},
        "SettleRecovery": {"reference": "x", "amount": eur(1), "method": method},
        "WriteOffRecovery": {"reason": "x"},
        "CollectDocument": {"kind": pb.CLAIM_DOCUMENT_KIND_ORDER, "sha256": HASH},
        "FileClaim": {},
        "AcknowledgeClaim": {"reference": "x"},
        "DecideClaim": {"approved": eur(1)},
        "RecordClaimPayment": {"reference": "x", "amount": eur(1)},
        "AppealClaim": {"reason": "x"},
        "ReturnClaimPayment": {"reference": "x", "amount": eur(1)},
    }
    for rpc, fields in calls.items():
        assert refused(shop, rpc, recovery_id="nobody", **fields) == ("NOT_FOUND", "UNKNOWN_RECOVERY")
    with pytest.raises(grpc.RpcError) as caught:
        client.recoveries.GetRecovery(pb.GetRecoveryRequest(recovery_id="nobody"))
    assert reason_of(caught.value) == "UNKNOWN_RECOVERY"


def test_what_cannot_be_opened(client: Client, shop: Shop):
    order_id, number = shop.shipped()
    other_id, other_number = shop.shipped()
    about: dict[str, Any] = {"recovery_id": f"r-{number}", "kind": LOSS, "currency": "EUR", "carrier": "dhl"}

    def opening(**fields: Any) -> tuple[str, str]:
        return refused(shop, "OpenRecovery", **{**about, **fields})

    assert opening(order_id="shop/none", tracking_number=number) == ("NOT_FOUND", "UNKNOWN_ORDER")
    assert opening(order_id=order_id, tracking_number="NONE") == ("NOT_FOUND", "UNKNOWN_PARCEL")
    assert opening(kind=SUPPLIER_FAULT, order_id=order_id, supplier_order_id=f"{order_id}/7") == (
        "NOT_FOUND",
        "UNKNOWN_SUPPLIER_ORDER",
    )
    assert opening(order_id=order_id, tracking_number=number, case_id="none") == ("NOT_FOUND", "UNKNOWN_CASE")
    case_id = damaged(client).case_id
    elsewhere = opening(order_id=order_id, tracking_number=number, case_id=case_id)
    assert elsewhere == ("FAILED_PRECONDITION", "CASE_OF_ANOTHER_ORDER")
    wrong = opening(order_id=order_id, tracking_number=other_number)
    assert wrong == ("FAILED_PRECONDITION", "PARCEL_NOT_OF_ORDER")
    shop.send("OpenRecovery", **about, order_id=order_id, tracking_number=number)
    again = opening(order_id=order_id, tracking_number=number, recovery_id="r-other")
    assert again == ("ALREADY_EXISTS", "CLAIMED_ALREADY")
    taken = opening(order_id=other_id, tracking_number=other_number)
    assert taken == ("ALREADY_EXISTS", "RECOVERY_OPENED_DIFFERENTLY")


def test_what_a_supplier_is_asked_has_its_limits(shop: Shop):
    forbidden, method = "FAILED_PRECONDITION", pb.SETTLEMENT_METHOD_PAYMENT
    asked, over, claim = shop.supplier_asked(), shop.written_off(), shop.claim()
    cost = pb.RecoveryCost(cost_id="more", kind=pb.COST_KIND_RESHIP, amount_minor=1)
    differs = pb.RecoveryCost(cost_id="refund-1", kind=pb.COST_KIND_REFUND, amount_minor=1)
    assert refused(shop, "RaiseRecovery", recovery_id=over, cost=cost, currency="EUR") == (forbidden, "RECOVERY_ENDED")
    assert refused(shop, "RaiseRecovery", recovery_id=asked, cost=cost, currency="CNY") == (forbidden, "OTHER_CURRENCY")
    assert refused(shop, "RaiseRecovery", recovery_id=asked, cost=differs, currency="EUR") == (
        "ALREADY_EXISTS",
        "COST_DIFFERS",
    )
    assert refused(shop, "AnswerRecovery", recovery_id=claim, accepted=eur(1)) == (forbidden, "CLAIM_ON_CARRIER")
    assert refused(shop, "AnswerRecovery", recovery_id=asked, accepted=eur(1, "CNY")) == (forbidden, "OTHER_CURRENCY")
    assert refused(shop, "AnswerRecovery", recovery_id=asked, accepted=eur(1001)) == (forbidden, "MORE_THAN_ASKED")
    assert refused(shop, "AnswerRecovery", recovery_id=over, accepted=eur(1)) == (forbidden, "RECOVERY_ENDED")
    part: dict[str, Any] = {"reference": "p-1", "method": method}
    assert refused(shop, "SettleRecovery", recovery_id=claim, amount=eur(1), **part) == (forbidden, "CLAIM_ON_CARRIER")
    assert refused(shop, "SettleRecovery", recovery_id=asked, amount=eur(1), **part) == (forbidden, "NOTHING_AGREED")
    shop.send("AnswerRecovery", recovery_id=asked, accepted=eur(500))
    shop.send("SettleRecovery", recovery_id=asked, amount=eur(300), **part)
    assert refused(shop, "SettleRecovery", recovery_id=asked, amount=eur(1), **part) == (
        "ALREADY_EXISTS",
        "PAYMENT_DIFFERS",
    )
    assert refused(shop, "SettleRecovery", recovery_id=asked, amount=eur(1, "CNY"), **part) == (
        forbidden,
        "OTHER_CURRENCY",
    )
    assert refused(shop, "SettleRecovery", recovery_id=over, amount=eur(1), **part) == (forbidden, "RECOVERY_ENDED")
    assert refused(shop, "AnswerRecovery", recovery_id=asked, accepted=eur(299)) == (forbidden, "LESS_THAN_RECEIVED")
    assert refused(shop, "WriteOffRecovery", recovery_id=shop.paid(), reason="x") == (forbidden, "RECOVERY_ENDED")


def test_what_can_be_filed_has_its_limits(shop: Shop):
    forbidden = "FAILED_PRECONDITION"
    document: dict[str, Any] = {"kind": pb.CLAIM_DOCUMENT_KIND_PHOTO, "sha256": "cd" * 32}
    no_claim, over = shop.supplier_asked(), shop.paid()
    assert refused(shop, "CollectDocument", recovery_id=no_claim, **document) == (forbidden, "NO_CARRIER_CLAIM")
    assert refused(shop, "CollectDocument", recovery_id=over, **document) == (forbidden, "RECOVERY_ENDED")
    assert refused(shop, "FileClaim", recovery_id=no_claim) == (forbidden, "NO_CARRIER_CLAIM")
    assert refused(shop, "FileClaim", recovery_id=shop.claim(days_ago=3)) == (forbidden, "CLAIM_NOT_ELIGIBLE")
    assert refused(shop, "FileClaim", recovery_id=shop.claim()) == (forbidden, "DOCUMENTS_MISSING")
    nothing = shop.claim(minor=0)
    shop.collect(nothing)
    assert refused(shop, "FileClaim", recovery_id=nothing) == (forbidden, "NOTHING_TO_CLAIM")
    given_up = shop.claim()
    shop.send("WriteOffRecovery", recovery_id=given_up, reason="x")
    assert refused(shop, "FileClaim", recovery_id=given_up) == (forbidden, "RECOVERY_ENDED")
    in_time = shop.claim(days_ago=59)
    shop.collect(in_time)
    late: dict[str, Any] = {"recovery_id": in_time, "at": stamp(NOW + DAY)}
    assert refused(shop, "FileClaim", **late) == (forbidden, "FILING_DEADLINE_PASSED")


def test_what_a_carrier_decides_has_its_limits(shop: Shop):
    forbidden = "FAILED_PRECONDITION"
    calls: dict[str, dict[str, Any]] = {
        "AcknowledgeClaim": {"reference": "x"},
        "DecideClaim": {"denial_reason": "x"},
        "RecordClaimPayment": {"reference": "x", "amount": eur(1)},
        "AppealClaim": {"reason": "x"},
        "ReturnClaimPayment": {"reference": "x", "amount": eur(1)},
    }
    for rpc, fields in calls.items():
        given_up = shop.claim()
        assert refused(shop, rpc, recovery_id=given_up, **fields) == (forbidden, "CLAIM_NOT_FILED")
        shop.send("WriteOffRecovery", recovery_id=given_up, reason="x")
        assert refused(shop, rpc, recovery_id=given_up, **fields) == (forbidden, "RECOVERY_ENDED")
        assert refused(shop, rpc, recovery_id=shop.supplier_asked(), **fields) == (forbidden, "NO_CARRIER_CLAIM")
    claim = shop.filed()
    assert refused(shop, "DecideClaim", recovery_id=claim, approved=eur(1, "CNY")) == (forbidden, "OTHER_CURRENCY")
    assert refused(shop, "DecideClaim", recovery_id=claim, approved=eur(1001)) == (forbidden, "MORE_THAN_ASKED")
    assert refused(shop, "AppealClaim", recovery_id=claim, reason="x") == (forbidden, "NOTHING_TO_APPEAL")
    payment: dict[str, Any] = {"recovery_id": claim, "reference": "p-1"}
    assert refused(shop, "RecordClaimPayment", amount=eur(1), **payment) == (forbidden, "NOTHING_AGREED")
    shop.send("DecideClaim", recovery_id=claim, approved=eur(600))
    assert refused(shop, "DecideClaim", recovery_id=claim, denial_reason="x") == (forbidden, "CLAIM_DECIDED")
    assert refused(shop, "RecordClaimPayment", amount=eur(1, "CNY"), **payment) == (forbidden, "OTHER_CURRENCY")
    shop.send("RecordClaimPayment", amount=eur(600), **payment)
    differs = refused(shop, "RecordClaimPayment", amount=eur(1), **payment)
    assert differs == ("ALREADY_EXISTS", "PAYMENT_DIFFERS")
    shop.send("AppealClaim", recovery_id=claim, reason="x")
    assert refused(shop, "DecideClaim", recovery_id=claim, approved=eur(599)) == (forbidden, "LESS_THAN_RECEIVED")
    back: dict[str, Any] = {"recovery_id": claim, "reference": "b-1"}
    assert refused(shop, "ReturnClaimPayment", amount=eur(601), **back) == (forbidden, "MORE_THAN_KEPT")
    assert refused(shop, "ReturnClaimPayment", amount=eur(1, "CNY"), **back) == (forbidden, "OTHER_CURRENCY")
    shop.send("ReturnClaimPayment", amount=eur(100), **back)
    assert refused(shop, "ReturnClaimPayment", amount=eur(101), **back) == ("ALREADY_EXISTS", "PAYMENT_DIFFERS")


@pytest.mark.parametrize(
    ("rpc", "fields", "field"),
    [
        ("OpenRecovery", {"recovery_id": "a/b", "kind": 1}, "recovery_id"),
        ("OpenRecovery", {"recovery_id": "a"}, "kind"),
        ("OpenRecovery", {"recovery_id": "a", "kind": 1, "order_id": "x/1"}, "supplier_order_id"),
        (
            "OpenRecovery",
            {"recovery_id": "a", "kind": 1, "order_id": "x/1", "supplier_order_id": "x/2/1"},
            "supplier_order_id",
        ),
        ("OpenRecovery", {"recovery_id": "a", "kind": 2, "order_id": "x/1"}, "carrier"),
        ("RaiseRecovery", {"recovery_id": "a"}, "cost.cost_id"),
        ("RaiseRecovery", {"recovery_id": "a//b"}, "recovery_id"),
        ("AnswerRecovery", {"recovery_id": "a"}, "answer"),
        ("AnswerRecovery", {"recovery_id": "a", "accepted": eur(0)}, "accepted.amount_minor"),
        ("AnswerRecovery", {"recovery_id": "a", "dispute_reason": "x" * 201}, "dispute_reason"),
        ("SettleRecovery", {"recovery_id": "a", "reference": "x", "amount": eur(1)}, "method"),
        ("WriteOffRecovery", {"recovery_id": "a"}, "reason"),
        ("CollectDocument", {"recovery_id": "a", "kind": 1, "sha256": "ab"}, "sha256"),
        ("AcknowledgeClaim", {"recovery_id": "a"}, "reference"),
        ("DecideClaim", {"recovery_id": "a"}, "decision"),
        ("RecordClaimPayment", {"recovery_id": "a", "reference": "x", "amount": eur(1, "euro")}, "amount.currency"),
        ("AppealClaim", {"recovery_id": "a"}, "reason"),
        ("ReturnClaimPayment", {"recovery_id": "a", "reference": "x"}, "amount.amount_minor"),
    ],
)
def test_what_is_malformed_is_refused_with_its_field(shop: Shop, rpc: str, fields: dict[str, Any], field: str):
    with pytest.raises(grpc.RpcError) as caught:
        shop.send(rpc, **fields)
    assert fields_of(caught.value)[:1] == [field]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ([pb.ClaimTerms(loss_filing_days=0)], "policy.claim_terms[0].loss_filing_days"),
        ([pb.ClaimTerms(carrier="dhl"), pb.ClaimTerms(carrier="DHL")], "policy.claim_terms"),
        ([pb.ClaimTerms(liability=[eur(1), eur(2)])], "policy.claim_terms[0].liability"),
        (
            [pb.ClaimTerms(loss_documents=[pb.CLAIM_DOCUMENT_KIND_UNSPECIFIED])],
            "policy.claim_terms[0].loss_documents[0]",
        ),
    ],
)
def test_terms_that_make_no_sense_are_refused(client: Client, terms: list[pb.ClaimTerms], field: str):
    policy = admin_pb2.Policy(claim_terms=terms)
    with pytest.raises(grpc.RpcError) as caught:
        client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy))
    assert fields_of(caught.value)[:1] == [field]
