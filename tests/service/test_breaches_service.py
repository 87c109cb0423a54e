"""Breaches, what they cost, and questions that nobody answers, over a real socket."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    common_pb2,
    inquiries_pb2,
    obligations_pb2,
    orders_pb2,
    statements_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
)
from tests.support.service import (
    Client,
    Service,
    context,
    fields_of,
    reason_of,
    refused,
    stamp,
)
from tests.support.terminal import Console
from tests.support.waiting import wait_for

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DISPATCH = supplier_orders_pb2.SUPPLIER_ORDER_CLOCK_DISPATCH
SUPPLIER, RETAILER, CUSTOMER = common_pb2.PARTY_SUPPLIER, common_pb2.PARTY_RETAILER, common_pb2.PARTY_CUSTOMER


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        hours: dict[str, Any] = {"acknowledge_within_hours": 24, "dispatch_within_hours": 48, "answer_within_hours": 12}
        cap = common_pb2.Money(amount_minor=5000, currency="EUR")
        client.approve(at=NOW - 30 * DAY, compensation_basis_points=1000, compensation_cap=cap, **hours)
        client.suppliers.OfferSku(
            suppliers_pb2.OfferSkuRequest(
                context=context(),
                supplier_id="acme",
                offer=suppliers_pb2.Offer(sku="tea", cost=common_pb2.Money(amount_minor=400, currency="CNY")),
            )
        )
        client.feed(100)
        yield client


def sent(client: Client, number: str, at: datetime, units: int = 2) -> str:
    client.place(number, units=units, placed_at=stamp(at))
    supplier_order_id = f"shop/{number}/1"
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(
            context=context(), supplier_order_id=supplier_order_id, at=stamp(at)
        )
    )
    return supplier_order_id


def rule(
    party: Any = CUSTOMER, supplier_order_id: str = "shop/late/1", **more: Any
) -> supplier_orders_pb2.RuleDelayRequest:
    fields: dict[str, Any] = {"clock": DISPATCH, "reason": "address_changed", **more}
    return supplier_orders_pb2.RuleDelayRequest(
        context=context(actor="mia"), supplier_order_id=supplier_order_id, party=party, **fields
    )


def ask(inquiry_id: str, **more: Any) -> inquiries_pb2.AskInquiryRequest:
    fields: dict[str, Any] = {"asked_by": RETAILER, "asked_of": SUPPLIER, "text": "When does it leave for Elm Street?"}
    if "order_id" not in more:
        fields["supplier_order_id"] = "shop/asked/1"
    return inquiries_pb2.AskInquiryRequest(context=context(), inquiry_id=inquiry_id, **{**fields, **more})


def inquiry(client: Client, inquiry_id: str, personal: bool = False) -> inquiries_pb2.Inquiry:
    request = inquiries_pb2.GetInquiryRequest(inquiry_id=inquiry_id, with_personal_data=personal)
    found: inquiries_pb2.Inquiry = client.inquiries.GetInquiry(request).inquiry
    return found


# --- compensation ---------------------------------------------------------------------------------


def test_a_late_dispatch_costs_what_was_agreed_until_it_is_ruled_anothers(client: Client):
    sent(client, "late", NOW - 3 * DAY)

    def owed() -> Any:
        (supplier_order,) = client.get("shop/late").supplier_orders
        return supplier_order.compensation if supplier_order.HasField("compensation") else None

    # The service's own clock notices it: 10 % of 2 x 9.90 EUR.
    compensation = wait_for(owed)
    assert compensation.amount == common_pb2.Money(amount_minor=198, currency="EUR")
    assert compensation.net_amount.amount_minor == 1980
    assert (compensation.basis_points, compensation.cap.amount_minor) == (1000, 5000)
    assert compensation.agreement_effective_from == stamp(NOW - 31 * DAY)

    client.orders.RuleDelay(rule())
    (supplier_order,) = client.get("shop/late").supplier_orders
    assert not supplier_order.HasField("compensation")
    (ruling,) = supplier_order.delay_rulings
    assert (ruling.clock, ruling.party, ruling.reason, ruling.by) == (DISPATCH, CUSTOMER, "address_changed", "mia")
    again = rule(at=ruling.at)
    before = client.orders.RuleDelay(again).version
    again.context.request_id += "-2"
    assert client.orders.RuleDelay(again).version == before

    client.orders.RuleDelay(rule(SUPPLIER))
    assert owed().amount.amount_minor == 198


def test_a_ruling_needs_a_delay_a_clock_a_party_and_a_reason(client: Client):
    sent(client, "soon", NOW)
    assert reason_of(refused(client.orders.RuleDelay, rule(supplier_order_id="shop/soon/1"))) == "NO_DELAY"
    unknown = rule(supplier_order_id="shop/soon/2")
    assert reason_of(refused(client.orders.RuleDelay, unknown)) == "UNKNOWN_SUPPLIER_ORDER"
    assert reason_of(refused(client.orders.RuleDelay, rule(supplier_order_id="shop/9/1"))) == "UNKNOWN_ORDER"
    for field, request in (("party", rule(0)), ("clock", rule(clock=0)), ("reason", rule(reason=" "))):
        assert fields_of(refused(client.orders.RuleDelay, request)) == [field]


def test_what_a_unit_costs_is_frozen_when_the_supplier_order_is_drafted(client: Client):
    client.place("cost")
    (supplier_order,) = client.get("shop/cost").supplier_orders
    assert [(each.line_no, each.cost.amount_minor, each.cost.currency) for each in supplier_order.unit_costs] == [
        (1, 400, "CNY")
    ]


# --- what the retailer agreed with itself ---------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, None),
        ({"reroute_after": admin_pb2.RerouteAfter()}, {}),
        ({"reroute_after": admin_pb2.RerouteAfter(dispatch_hours=0)}, {"dispatch_hours": 0}),
        ({"reroute_after": admin_pb2.RerouteAfter(acknowledge_hours=6)}, {"acknowledge_hours": 6}),
    ],
    ids=["nothing is set: at once", "never", "only after a missed dispatch", "only after a missed acknowledgement"],
)
def test_the_retailer_says_when_overdue_units_go_elsewhere(client: Client, fields: dict[str, Any], kept: Any):
    some_day = stamp(NOW + 365 * DAY)
    agreed = admin_pb2.Policy(free_return_within_days=7, **fields)
    request = admin_pb2.AgreePolicyRequest(context=context(), policy=agreed, effective_from=some_day)
    position = client.admin.AgreePolicy(request).position
    fact = next(client.audit.StreamFacts(audit_pb2.StreamFactsRequest(after=position - 1))).facts[0]
    assert json.loads(fact.json)["policy"].get("reroute_after") == kept


def test_hours_beyond_a_year_are_refused(client: Client):
    wrong = admin_pb2.Policy(reroute_after=admin_pb2.RerouteAfter(dispatch_hours=8761))
    request = admin_pb2.AgreePolicyRequest(context=context(), policy=wrong)
    assert fields_of(refused(client.admin.AgreePolicy, request)) == ["policy.reroute_after.dispatch_hours"]


# --- inquiries ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(client: Client) -> Client:
    """An order that questions are asked about, and one question that is overdue."""
    sent(client, "asked", NOW)
    client.inquiries.AskInquiry(ask("overdue", at=stamp(NOW - 13 * HOUR)))
    client.inquiries.AskInquiry(ask("waits", at=stamp(NOW - HOUR), topic=inquiries_pb2.INQUIRY_TOPIC_DISPATCH))
    return client


def test_a_question_and_its_answer_are_read_back_and_hidden_unless_asked_for(asked: Client):
    asked.inquiries.AskInquiry(ask("read", asked_by=CUSTOMER, asked_of=RETAILER, order_id="shop/asked"))
    answer = inquiries_pb2.AnswerInquiryRequest(context=context(actor="desk"), inquiry_id="read", text="Tomorrow, Ann.")
    asked.inquiries.AnswerInquiry(answer)
    shown = inquiry(asked, "read", personal=True)
    assert (shown.text, [each.text for each in shown.answers]) == (
        "When does it leave for Elm Street?",
        ["Tomorrow, Ann."],
    )
    assert (shown.state, shown.answers[0].by, shown.version) == (inquiries_pb2.INQUIRY_STATE_ANSWERED, "desk", 2)
    assert shown.answer_by.ToDatetime() - shown.asked_at.ToDatetime() == DAY
    hidden = inquiry(asked, "read")
    assert (hidden.text, hidden.answers[0].text) == ("", "")


def test_erasing_a_person_erases_the_texts_of_its_inquiries(client: Client):
    ann = orders_pb2.Customer(name="Bea Gone", email="bea@example.org")
    client.place("gone", customer=ann)
    client.inquiries.AskInquiry(ask("gone", order_id="shop/gone", asked_by=CUSTOMER, asked_of=RETAILER))
    assert inquiry(client, "gone", personal=True).text
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(email="bea@example.org", even_if_open=True))
    assert inquiry(client, "gone", personal=True).text == ""


def test_a_question_that_nobody_answers_is_a_breach_that_the_clock_records(asked: Client):
    clock = obligations_pb2.OBLIGATION_CLOCK_ANSWER
    request = obligations_pb2.ListBreachesRequest(clock=clock, owner=SUPPLIER)
    (breach,) = wait_for(lambda: asked.reports.ListBreaches(request).breaches)
    assert (breach.object_id, breach.owner, breach.supplier_id) == ("overdue", SUPPLIER, "acme")
    assert breach.due == stamp(NOW - HOUR)
    assert inquiry(asked, "overdue").answer_missed
    due = obligations_pb2.ListObligationsRequest(clock=clock, owner=SUPPLIER)
    assert [each.object_id for each in asked.reports.ListObligations(due).obligations] == ["waits"]
    told_late = inquiries_pb2.AnswerInquiryRequest(
        context=context(), inquiry_id="overdue", text="It left.", at=stamp(NOW - 2 * HOUR)
    )
    asked.inquiries.AnswerInquiry(told_late)
    assert not inquiry(asked, "overdue").answer_missed


def test_open_questions_are_listed_and_closed(asked: Client):
    request = inquiries_pb2.ListInquiriesRequest(supplier_id="acme", order_id="shop/asked", asked_of=SUPPLIER)
    waiting = wait_for(lambda: list(asked.inquiries.ListInquiries(request).inquiries))
    (waits,) = [each for each in waiting if each.inquiry_id == "waits"]
    assert (waits.topic, waits.answer_by, waits.text) == (
        inquiries_pb2.INQUIRY_TOPIC_DISPATCH,
        stamp(NOW + 11 * HOUR),
        "",
    )
    close = inquiries_pb2.CloseInquiryRequest(context=context(), inquiry_id="waits", reason="solved")
    receipt = asked.inquiries.CloseInquiry(close)
    closed = inquiries_pb2.ListInquiriesRequest(state=inquiries_pb2.INQUIRY_STATE_CLOSED, at_least=receipt.position)
    assert [each.inquiry_id for each in asked.inquiries.ListInquiries(closed).inquiries] == ["waits"]
    answer = inquiries_pb2.AnswerInquiryRequest(context=context(), inquiry_id="waits")
    assert reason_of(refused(asked.inquiries.AnswerInquiry, answer)) == "INQUIRY_IS_CLOSED"


def test_a_question_says_who_asks_whom_about_what(asked: Client):
    call = asked.inquiries.AskInquiry
    assert fields_of(refused(call, ask("q q", text="x"))) == ["inquiry_id"]
    assert fields_of(refused(call, ask("q", asked_by=CUSTOMER))) == ["asked_of"]
    assert fields_of(refused(call, ask("q", asked_of=common_pb2.PARTY_CARRIER))) == ["asked_of"]
    assert fields_of(refused(call, ask("q", supplier_id="acme"))) == ["supplier_id"]
    assert fields_of(refused(call, ask("q", order_id="shop/asked"))) == ["supplier_id"]
    assert fields_of(refused(call, ask("q", order_id="shop/asked", supplier_id="acme", text="x" * 5001))) == ["text"]
    nothing = inquiries_pb2.AskInquiryRequest(context=context(), inquiry_id="q", asked_by=RETAILER, asked_of=SUPPLIER)
    assert fields_of(refused(call, nothing)) == ["order_id"]
    about_us = ask("q", order_id="shop/asked", supplier_id="acme", asked_by=CUSTOMER, asked_of=RETAILER)
    assert fields_of(refused(call, about_us)) == ["supplier_id"]


def test_questions_and_answers_are_refused_for_what_they_break(asked: Client):
    call = asked.inquiries.AskInquiry
    assert reason_of(refused(call, ask("q", order_id="shop/9", supplier_id="acme"))) == "UNKNOWN_ORDER"
    assert reason_of(refused(call, ask("q", order_id="shop/asked", supplier_id="zen"))) == "UNKNOWN_SUPPLIER"
    assert reason_of(refused(call, ask("q", supplier_order_id="shop/asked/7"))) == "UNKNOWN_SUPPLIER_ORDER"
    assert reason_of(refused(call, ask("overdue", text="Another?"))) == "INQUIRY_ASKED_DIFFERENTLY"
    unknown = inquiries_pb2.GetInquiryRequest(inquiry_id="nope")
    assert reason_of(refused(asked.inquiries.GetInquiry, unknown)) == "UNKNOWN_INQUIRY"
    close = inquiries_pb2.CloseInquiryRequest(context=context(), inquiry_id="nope")
    assert reason_of(refused(asked.inquiries.CloseInquiry, close)) == "UNKNOWN_INQUIRY"
    early = inquiries_pb2.AnswerInquiryRequest(context=context(), inquiry_id="overdue", at=stamp(NOW - 20 * HOUR))
    assert reason_of(refused(asked.inquiries.AnswerInquiry, early)) == "ANSWERED_BEFORE_ASKED"


# --- the supplier's statement -----------------------------------------------------------------------


def test_a_statement_adds_up_and_every_amount_names_its_fact(client: Client):
    supplier_order_id = sent(client, "owed", NOW - 3 * DAY, units=3)
    shipped = client.orders.ShipSupplierOrder(
        supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(), supplier_order_id=supplier_order_id, carrier="dhl", tracking_number="JD9", at=stamp(NOW)
        )
    )
    period: dict[str, Any] = {"supplier_id": "acme", "since": stamp(NOW - HOUR), "at_least": shipped.position}
    entries = client.reports.ListStatementEntries(statements_pb2.ListStatementEntriesRequest(**period)).entries
    (goods,) = [each for each in entries if each.kind == statements_pb2.STATEMENT_KIND_GOODS]
    assert (goods.amount.amount_minor, goods.amount.currency, goods.units, goods.line_no) == (1200, "CNY", 3, 1)
    assert (goods.object_id, goods.at) == (supplier_order_id, stamp(NOW))
    (late,) = [
        each
        for each in entries
        if each.kind == statements_pb2.STATEMENT_KIND_COMPENSATION and each.object_id == supplier_order_id
    ]
    assert (late.amount.amount_minor, late.amount.currency, late.fact) == (-297, "EUR", "order.compensation_accrued")
    for each in (goods, late):
        facts = next(client.audit.StreamFacts(audit_pb2.StreamFactsRequest(after=each.fact_position - 1))).facts
        assert (facts[0].position, facts[0].stream, facts[0].name) == (each.fact_position, each.stream, each.fact)

    statement = client.reports.GetStatement(statements_pb2.GetStatementRequest(**period))
    for balance in statement.balances:
        amounts = [each.amount.amount_minor for each in entries if each.amount.currency == balance.currency]
        total = sum(total.amount_minor for total in balance.totals)
        assert balance.closing_minor - balance.opening_minor == sum(amounts) == total
        assert len(amounts) == sum(total.entries for total in balance.totals)
    assert {balance.currency for balance in statement.balances} == {"CNY", "EUR"}
    assert statement.units_without_cost == 0


def test_a_statement_is_refused_what_makes_no_sense(client: Client):
    backwards = statements_pb2.GetStatementRequest(supplier_id="acme", since=stamp(NOW), until=stamp(NOW))
    assert fields_of(refused(client.reports.GetStatement, backwards)) == ["since"]
    nobody = statements_pb2.ListStatementEntriesRequest()
    assert fields_of(refused(client.reports.ListStatementEntries, nobody)) == ["supplier_id"]
    money = statements_pb2.ListStatementEntriesRequest(supplier_id="acme", currency="euro")
    assert fields_of(refused(client.reports.ListStatementEntries, money)) == ["currency"]
    unknown = statements_pb2.GetStatementRequest(supplier_id="nobody")
    assert reason_of(refused(client.reports.GetStatement, unknown)) == "UNKNOWN_SUPPLIER"
    client.approve("quiet")
    empty = client.reports.GetStatement(statements_pb2.GetStatementRequest(supplier_id="quiet"))
    assert (len(empty.balances), empty.units_without_cost) == (0, 0)


# --- at a terminal --------------------------------------------------------------------------------


@pytest.fixture
def ff(service: Service, client: Client) -> Console:
    return Console(service.address)


def test_a_delay_is_ruled_on_at_a_terminal(client: Client, ff: Console):
    sent(client, "typed", NOW - 3 * DAY)
    wait_for(lambda: "1.98 EUR" in ff("show", "shop/typed").out)
    result = ff("order", "rule-delay", "shop/typed/1", "--party", "carrier", "--reason", "strike")
    assert (result.code, result.err) == (0, "")
    assert "ruled the carrier's delay" in ff("show", "shop/typed").out
    history = ff("history", "shop/typed").out
    assert "order.compensation_reversed" in history
    assert "amount 1.98 EUR" in history
    unknown = ff("order", "rule-delay", "shop/typed/9", "--party", "carrier", "--reason", "strike")
    assert (unknown.code, "UNKNOWN_SUPPLIER_ORDER" in unknown.err) == (1, True)


def test_questions_are_asked_answered_and_listed_at_a_terminal(client: Client, ff: Console):
    sent(client, "talk", NOW)
    result = ff(
        "inquiry", "ask", "t1", "shop/talk/1", "--topic", "dispatch", "--text", "When?", "--at", NOW.isoformat()
    )
    assert result.out.startswith("Inquiry t1  open, acme answers by")
    ff("inquiry", "ask", "t2", "shop/talk", "--by", "customer", "--text", "Where?")
    listed = ff("inquiry", "list", "--order", "shop/talk").out
    assert listed.index("t1") < listed.index("t2")
    ours = ff("inquiry", "list", "--of", "retailer", "--order", "shop/talk", "--json").json
    assert [each["inquiry_id"] for each in ours] == ["t2"]
    assert "answered" in ff("inquiry", "answer", "t1", "--text", "Today.").out
    shown = ff("inquiry", "show", "t1", "--personal").out
    assert "When?" in shown
    assert "Today." in shown
    assert "When?" not in ff("inquiry", "show", "t1").out
    assert "closed" in ff("inquiry", "close", "t1", "--reason", "solved").out
    refusal = ff("inquiry", "answer", "t1")
    assert (refusal.code, "INQUIRY_IS_CLOSED" in refusal.err) == (1, True)


def test_a_statement_is_printed_as_a_table_as_json_as_csv_and_as_a_page(client: Client, ff: Console, tmp_path: Path):
    supplier_order_id = sent(client, "csv", NOW)
    client.orders.ShipSupplierOrder(
        supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(), supplier_order_id=supplier_order_id, carrier="dhl", tracking_number="JD10"
        )
    )
    printed = ff("supplier", "statement", "acme", "--since", (NOW - DAY).isoformat())
    assert printed.code == 0
    assert "closing balance" in printed.out
    assert "8.00 CNY" in printed.out
    both = ff("supplier", "statement", "acme", "--json").json
    assert {balance["currency"] for balance in both["statement"]["balances"]} >= {"CNY"}
    new = ff("supplier", "statement", "acme", "--changed-after", "0", "--json").json
    assert sorted(new["rows"], key=str) == sorted(both["entries"], key=str)  # by position, and by when it happened
    assert new["gone"] == []
    assert ff("supplier", "statement", "acme", "--changed-after", str(new["until"]), "--json").json["rows"] == []
    assert "without --html" in ff("supplier", "statement", "acme", "--csv", "-", "--changed-after", "0").err
    written = ff("supplier", "statement", "acme", "--html", str(tmp_path / "acme.html"))
    assert written.code == 0
    page = (tmp_path / "acme.html").read_text()
    assert "closing balance in CNY" in page
    assert supplier_order_id in page
    comma = ff("supplier", "statement", "acme", "--csv", "-")
    assert (comma.code, comma.err) == (0, "")
    rows = list(csv.DictReader(comma.out.splitlines()))
    (mine,) = [row for row in rows if row["object_id"] == supplier_order_id]
    assert (mine["kind"], mine["amount_minor"], mine["currency"], mine["units"]) == ("goods", "800", "CNY", "2")
    assert [row["fact_position"] for row in rows] == [str(each["fact_position"]) for each in both["entries"]]
