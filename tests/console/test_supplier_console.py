"""Suppliers and their stock at a terminal: from the first sample to a review of their rates."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.console.suppliers import page, supplier
from fulfilment.v1 import admin_pb2, orders_pb2, supplier_orders_pb2, suppliers_pb2
from tests.support.service import Client, Service, context, stamp
from tests.support.terminal import Shell, placed
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("acme")

# --- stock, terms and offers ------------------------------------------------------------------------


def test_stock_is_shown_as_it_can_be_promised(ff: Shell):
    ff("stock", "feed", "acme", "CUP", "10")
    ff("stock", "buffer", "acme", "CUP", "3")
    placed(ff, "cup", "--paid", line="CUP:2:5:acme")
    assert re.search(r"CUP +10 +0 +2 +3 +5", ff("stock", "show", "acme", "CUP").out)
    assert ff("stock", "feed", "acme", "CUP", "12", "--json").json["levels"][0]["available"] >= 7


def test_stock_levels_alerts_movements_and_listings_are_listed(ff: Shell):
    ff("stock", "feed", "acme", "JAR", "10")
    assert ff("stock", "threshold", "acme", "JAR", "9").code == 0
    placed(ff, "jar", "--paid", line="JAR:2:5:acme")
    assert re.search(r"acme +JAR +10 +0 +2 +0 +8 .* low", ff("stock", "levels", "--sku", "JAR").out)
    assert re.search(r"acme +JAR .* low", ff("stock", "alerts", "--supplier", "acme").out)
    assert ff("stock", "levels", "--sku", "JAR", "--alert", "sold_out").out == "Nobody has any stock.\n"
    moved = ff("stock", "movements", "acme", "JAR").out
    assert re.search(r"reserved +2 +-2 +8 +shop/jar", moved)
    assert re.search(r"feed recorded +10 +\+10 +10", moved)
    ff("stock", "buffer", "acme", "JAR", "8")
    assert re.search(r"JAR +delisted +0 +0", ff("stock", "listings", "--show", "delisted").out)
    (jar,) = ff("stock", "alerts", "--sku", "JAR", "--json").json
    assert jar["alerts"] == ["STOCK_ALERT_LOW", "STOCK_ALERT_SOLD_OUT"]
    assert ff("stock", "threshold", "acme", "JAR").code == 0
    assert ff("stock", "levels", "--sku", "JAR", "--alert", "low").out == "Nobody has any stock.\n"


def test_a_supplier_is_approved_step_by_step(ff: Shell):
    assert "candidate" in ff("supplier", "add", "bolt", "--name", "Bolt", "--country", "cn").out
    assert ff("supplier", "approve", "bolt").code == 1
    ff("supplier", "sample", "bolt")
    shares = ("--acknowledgement-target", "9750", "--response-target", "9000")
    ff("supplier", "terms", "bolt", "--dispatch", "48", "--compensation", "500", "--cap", "20.00:EUR", *shares)
    assert "approved" in ff("supplier", "approve", "bolt").out
    ff("supplier", "offer", "bolt", "NUT", "--cost", "1.50:EUR", "--backup", "acme")
    shown = ff("supplier", "show", "bolt").out
    assert "5 % of the net line amount, at most 20.00 EUR" in shown
    assert re.search(r"acknowledged in time +at least 97.5 %", shown)
    assert re.search(r"answered in time +at least 90 %", shown)
    assert re.search(r"NUT +1.50 EUR +1 +0 +acme", shown)
    assert "suspended" in ff("supplier", "suspend", "bolt", "--reason", "late").out
    assert "approved" in ff("supplier", "reinstate", "bolt").out
    assert "retired" in ff("supplier", "retire", "bolt").out


def test_master_data_are_changed_and_offers_withdrawn(ff: Shell):
    ff("supplier", "add", "mover", "--name", "Mover", "--country", "CN")
    houses = ("--warehouse", "waw:PL:Mazowieckie:Europe/Warsaw", "--warehouse", "szx:CN")
    changed = ff("supplier", "update", "mover", "--name", "Movers", "--pays-return-freight", *houses)
    assert (changed.code, changed.out) == (0, "Supplier mover  candidate\n")
    shown = ff("supplier", "show", "mover").out
    assert re.search(r"name +Movers\ncountry +CN\n", shown)
    assert re.search(r"warehouse +waw in PL, Mazowieckie, Europe/Warsaw\nwarehouse +szx in CN\n", shown)
    assert "paid by the supplier" in shown
    ff("supplier", "update", "mover", "--warehouse", "", "--packing", "")
    assert "warehouse" not in ff("supplier", "show", "mover").out
    assert ff("supplier", "refuses", "mover", "us", "--region", "HI", "--sku", "NUT").code == 0
    assert re.search(r"does not ship to +US HI NUT\n", ff("supplier", "show", "mover").out)
    ff("supplier", "serves", "mover", "US")
    assert "does not ship to" not in ff("supplier", "show", "mover").out
    price = ("--cost", "3.50:EUR", "--break", "100:3.20", "--packing-cost", "0.10", "--article", "T-17")
    offered = ff("supplier", "offer", "mover", "NUT", *price, "--until", "2030-01-01")
    assert offered.out == "Offer of NUT by mover  recorded\n"
    row = r"NUT +T-17 +3.50 EUR, 3.20 from 100, packing 0.10 +1 +0 +2030-01-01 00:00Z"
    assert re.search(row, ff("supplier", "show", "mover").out)
    assert ff("supplier", "offer", "mover", "NUT", "--cost", "3:EUR", "--break", "many").code == 2
    assert ff("supplier", "withdraw", "mover", "NUT", "--reason", "discontinued").code == 0
    assert "NUT" not in ff("supplier", "show", "mover").out
    assert ff("supplier", "withdraw", "mover", "BOLT").code == 1


def test_terms_can_be_changed_and_the_others_kept(ff: Shell):
    ff("supplier", "add", "keeper", "--name", "Keeper", "--contact", "Wei", "--return-address", "Longjing Road 1")
    none = ff("supplier", "terms", "keeper", "--keep", "--dispatch", "72")
    assert (none.code, "keeper has no terms then that --keep could take over" in none.err) == (2, True)
    first = ("--dispatch", "48", "--answer", "12", "--compensation", "500", "--cap", "20:EUR")
    ff("supplier", "terms", "keeper", "--from", "2026-01-01", *first)
    peak = ("--peak", "2026-12-01", "2026-12-31", "24")
    result = ff("supplier", "terms", "keeper", "--from", "2026-06-01", "--keep", "--dispatch", "72", *peak)
    assert re.search(r"dispatch within +72 h\nanswer within +12 h\ncompensation +5 % .*at most 20.00 EUR\n", result.out)
    assert re.search(r"peak +2026-12-01 00:00Z to 2026-12-31 00:00Z: 24 h longer", result.out)
    ff("supplier", "terms", "keeper", "--from", "2026-07-01", "--keep", "--compensation", "0")
    ended = ff("supplier", "terms", "keeper", "--from", "2026-08-01", "--end", "answer_within")
    assert (ended.code, "answer within is agreed no more" in ended.err) == (0, True)
    assert ("answer within" in ended.out, "dispatch within" in ended.out) == (False, True)
    assert ff("supplier", "terms", "keeper", "--end", "lunch").code == 1
    _, last, before, _ = ff("supplier", "show", "keeper", "--json").json["agreements"]
    assert (last["dispatch_within_hours"], last["compensation_basis_points"], last["peaks"]) == (72, 0, before["peaks"])


def test_terms_in_working_time_and_their_calendar_are_agreed_shown_and_kept(ff: Shell):
    ff("supplier", "add", "lunar", "--name", "Lunar")
    none = ff("supplier", "terms", "lunar", "--dispatch", "2wd")
    assert none.err == "Error: agreement.working.calendar: is required [MALFORMED]\n"
    when = ("--time-zone", "Asia/Shanghai", "--working-days", "mon-fri", "--hours", "09:00-18:00")
    said = ff("supplier", "terms", "lunar", "--from", "2026-01-01", "--dispatch", "2wd", "--acknowledge", "8wh",
              "--answer", "24", *when, "--holidays-of", "CN:2026", "--holiday", "2026-12-31")  # fmt: skip
    assert re.search(
        r"acknowledge within +8 working hours\ndispatch within +2 working days\nanswer within +24 h\n", said.out
    )
    assert re.search(r"works +Mon to Fri, 09:00 to 18:00, Asia/Shanghai\n", said.out)
    assert re.search(r"holidays +2026-01-01 to 2026-01-02, 2026-02-16 to 2026-02-20, 2026-02-23, ", said.out)
    assert re.search(r"extra days +2026-01-04, 2026-02-14, 2026-02-28, 2026-05-09, 2026-09-20, 2026-10-10\n", said.out)
    ff("supplier", "terms", "lunar", "--keep", "--dispatch", "48", "--answer", "1wd", "--cut-off", "16:00")
    last, _ = ff("supplier", "show", "lunar", "--json").json["agreements"]
    assert (last["dispatch_within_hours"], "answer_within_hours" in last) == (48, False)
    assert last["working"]["terms"] == {"acknowledge_within": {"hours": 8}, "answer_within": {"days": 1}}
    assert (last["working"]["calendar"]["cut_off"], len(last["working"]["calendar"]["extra_days"])) == ("16:00", 6)
    odd = ff("supplier", "terms", "lunar", "--keep", "--dispatch", "two")
    assert (odd.code, "'two' is not HOURS such as 48, nor working time such as 2wd" in odd.err) == (2, True)


def test_terms_that_another_changed_meanwhile_are_not_kept_by_mistake(
    ff: Shell, service: Service, monkeypatch: pytest.MonkeyPatch
):
    ff("supplier", "add", "twofold", "--name", "Twofold")
    ff("supplier", "terms", "twofold", "--dispatch", "48", "--answer", "12")
    shown = page.read_supplier

    def shown_before_another_changes_it(session: Any, supplier_id: str) -> Any:
        found = shown(session, supplier_id)
        # As of now, because no --from was given.
        agreement = suppliers_pb2.Agreement(dispatch_within_hours=24)
        request = suppliers_pb2.AgreeTermsRequest(context=context(), supplier_id=supplier_id, agreement=agreement)
        with Client(service.address) as other:
            other.suppliers.AgreeTerms(request)
        return found

    monkeypatch.setattr(supplier, "read_supplier", shown_before_another_changes_it)
    result = ff("supplier", "terms", "twofold", "--keep", "--answer", "24")
    monkeypatch.undo()
    assert (result.code, "[CHANGED_MEANWHILE]" in result.err) == (1, True)
    last, _ = ff("supplier", "show", "twofold", "--json").json["agreements"]
    assert last["dispatch_within_hours"] == 24


def test_whom_to_talk_to_at_a_supplier_is_personal(ff: Shell):
    ff("supplier", "add", "private", "--name", "Private", "--contact", "Wei", "--return-address", "Longjing Road 1")
    personal = ff("supplier", "show", "private", "--personal").out
    assert re.search(r"contact +Wei\nreturns go to +Longjing Road 1\n", personal)
    assert "Wei" not in ff("supplier", "show", "private", "--json").out


def test_suppliers_are_listed_by_standing(ff: Shell):
    ff("supplier", "add", "listed-a", "--name", "A")
    ff("supplier", "add", "listed-b", "--name", "B", "--approve")
    shown = ff("supplier", "list", "--standing", "candidate", "--standing", "approved").out
    assert re.search(r"listed-a +candidate *\n", shown)
    assert re.search(r"listed-b +approved +.*\d{4}-\d\d-\d\d \d\d:\d\dZ", shown)
    assert "listed-b" not in ff("supplier", "list", "--standing", "candidate").out
    assert ff("supplier", "list", "--standing", "sampling", "--json").json == []


def test_units_are_rerouted_to_who_offers_the_sku(ff: Shell):
    for supplier_id, cost in (("dock", "2.00"), ("east", "3.00")):
        ff("supplier", "add", supplier_id, "--name", supplier_id.title(), "--approve")
        ff("supplier", "offer", supplier_id, "LAMP", "--cost", f"{cost}:EUR", "--minimum", "2")
    shown = ff("sku", "show", "LAMP", "--units", "2").out
    assert "2 of it: dock" in shown
    assert re.search(r"east +qualifies +untracked +3.00 EUR +2 +0", shown)
    assert "below minimum" in ff("sku", "show", "LAMP").out
    assert "Nobody offers it." in ff("sku", "show", "GHOST").out
    assert ff("sku", "show", "LAMP", "--json").json["choice"]["considered"][0]["against"] == "AGAINST_BELOW_MINIMUM"

    placed(ff, "lamp", "--paid", "--when-unavailable", "hold", line="LAMP:2:5:dock")
    ff("order", "reroute", "shop/lamp/1", "--by", "retailer", "--reason", "changed_plan")
    assert "instead of shop/lamp/1: changed_plan" in ff("show", "shop/lamp").out
    ff("order", "send", "shop/lamp/2")
    assert ff("order", "reroute", "shop/lamp/2", "--by", "supplier").code == 1
    ff("order", "reroute", "shop/lamp/2", "--by", "supplier", "--to", "acme")
    assert "2 to be rerouted" in ff("show", "shop/lamp").out
    ff("order", "cancel-answer", "shop/lamp/2", "--agreed")
    ff("order", "send", "shop/lamp/3")
    held = ff("order", "ack", "shop/lamp/3", "--reject", "1:2", "--reason", "other").out
    assert "fulfilment order reroute shop/lamp --by retailer" in held
    assert "LAMP: " in ff("show", "shop/lamp").out
    assert ff("order", "reroute", "shop/lamp", "--by", "retailer", "--to", "dock", "--line", "1:1").code == 0


def test_rates_without_cases_say_so(ff: Shell):
    ff("supplier", "add", "quiet", "--name", "Quiet Ltd")
    assert re.search(r"on time dispatch +0 +0 +no data", ff("report", "rates", "--supplier", "quiet").out)


# --- rates and reviews ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def poor(service: Service) -> str:
    """A supplier with two late orders, where two cases are enough to propose its suspension."""
    with Client(service.address) as client:
        since = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
        policy = admin_pb2.Policy(suspension_least_cases=2, review_every_days=20)
        client.admin.AgreePolicy(
            admin_pb2.AgreePolicyRequest(context=context(), policy=policy, effective_from=stamp(since))
        )
        client.approve("poor", at=since, dispatch_within_hours=24)
        line = orders_pb2.OrderLine(sku="tin", quantity=1, unit_price_minor=990, supplier_id="poor")
        for number in ("poor-1", "poor-2"):
            client.place(number, placed_at=stamp(since + timedelta(days=12)), lines=[line])
            about: dict[str, Any] = {"supplier_order_id": f"shop/{number}/1"}
            sent, shipped = (stamp(since + timedelta(days=days)) for days in (12, 15))
            client.orders.SendSupplierOrder(
                supplier_orders_pb2.SendSupplierOrderRequest(context=context(), **about, at=sent)
            )
            client.orders.ShipSupplierOrder(
                supplier_orders_pb2.ShipSupplierOrderRequest(
                    context=context(), **about, carrier="dhl", tracking_number=number, at=shipped
                )
            )
    return "poor"


def test_suppliers_are_ranked_by_a_rate(ff: Shell, poor: str):
    rows = ff("report", "rank", "--rate", "on_time_dispatch", "--json").json
    (row,) = [each for each in rows if each["supplier_id"] == poor]
    assert (row["numerator"], row["denominator"], row["status"]) == (0, 2, "RATE_STATUS_BREACH")
    assert re.search(
        r"poor +Acme Ltd +0 +2 +0.0 +at least 95 +breach", ff("report", "rank", "--rate", "on_time_dispatch").out
    )


def test_a_ranking_is_of_the_period_that_is_asked_for(ff: Shell, poor: str):
    before = f"{datetime.now(UTC) - timedelta(days=25):%Y-%m-%d}"
    rows = ff("report", "rank", "--rate", "on_time_dispatch", "--until", before, "--json").json
    assert {(each["denominator"], each["until"]) for each in rows} == {(0, f"{before}T00:00:00Z")}
    of_now = ff("report", "rank", "--rate", "on_time_dispatch", "--since", before, "--json").json
    assert sum(each["denominator"] for each in of_now if each["supplier_id"] == poor) == 2


@pytest.mark.parametrize(
    ("rate", "target"),
    [
        ("late_shipment_30_days", "less than 4"),
        ("order_error", "at most 2"),
        ("on_time_dispatch", "at least 95"),
        ("valid_tracking", "more than 95"),
        ("satisfaction", ""),
    ],
)
def test_a_target_is_shown_as_the_rule_has_it(ff: Shell, poor: str, rate: str, target: str):
    (row,) = [
        line for line in ff("report", "rates", "--supplier", poor).out.splitlines() if rate in line.replace(" ", "_")
    ]
    wanted = f"{target} +" if target else ""
    assert re.search(rf"(no data|\d|stars) +{wanted}(ok|breach|no data|report only) ", row), row


def test_a_rate_without_a_target_is_only_reported(ff: Shell):
    ff("supplier", "add", "starry", "--name", "Starry", "--approve")
    placed(ff, "starred", "--paid", line="pot:1:5:starry")
    ff("order", "review", "shop/starred", "--id", "rs", "--score", "4")
    rates = ff("report", "rates", "--supplier", "starry").out
    assert re.search(r"satisfaction +4 +1 +4.00 stars +report only", rates)


def test_what_a_rate_counted_is_listed(ff: Shell, poor: str):
    late = ff("report", "counted", "--rate", "on_time_dispatch", "--supplier", poor, "--rest").out
    assert re.search(r"shop/poor-1/1 +shop/poor-1 +\S+ \S+Z +\S+ \S+Z +no\n", late)
    on_time = ("report", "counted", "--rate", "on_time_dispatch", "--supplier", poor, "--part")
    assert ff(*on_time).out.startswith("It counted nothing.\nFrom ")
    both = ff("report", "counted", "--rate", "on_time_dispatch", "--supplier", poor, "--json").json
    assert [each["object_id"] for each in both] == ["shop/poor-1/1", "shop/poor-2/1"]


def test_clocks_are_counted_and_breaches_listed_by_who_missed_them(ff: Shell, poor: str):
    wait_for(lambda: ff("report", "breaches", "--supplier", poor, "--owner", "supplier", "--json").json)
    assert ff("report", "breaches", "--supplier", poor, "--owner", "retailer").out == "No deadline was missed.\n"
    assert ff("report", "due", "--owner", "carrier", "--supplier", poor).out == "Nothing is due.\n"
    assert ff("report", "late", "--owner", "supplier", "--supplier", poor, "--clock", "dispatch").code == 0
    assert re.search(r"poor +Acme Ltd +dispatch +0 +0 +2 +0\n", ff("report", "clocks", "--supplier", poor).out)


def test_a_trend_is_shown_by_week_of_a_supplier_or_of_all(ff: Shell, poor: str):
    rows = ff("report", "trend", poor, "--rate", "late_shipment_30_days", "--json").json
    assert len(rows) in (13, 14)
    assert sum(each["denominator"] for each in rows) == 2
    months = ff("report", "trend", "--all", "--rate", "cancellation", "--by", "month")
    assert re.search(r"less than 2.5 +(ok|no data)", months.out)
    neither = ff("report", "trend", "--rate", "cancellation")
    assert (neither.code, "name a supplier, or say --all" in neither.err) == (2, True)


def test_a_supplier_is_reviewed_and_what_is_proposed_is_decided(ff: Shell, poor: str):
    assert re.search(r"poor +\d{4}", ff("supplier", "due").out)
    result = ff("supplier", "review", poor)
    assert re.search(r"verdict +propose suspension", result.out)
    assert re.search(r"late shipment 30 days +2 +2 +100.0 +less than 4 +breach", result.out)
    assert poor not in ff("supplier", "due").out
    assert re.search(r"score +\d+ of 10000", ff("supplier", "show", poor).out)
    listed = ff("supplier", "proposals", "--supplier", poor)
    assert re.search(r"poor +on time dispatch +0 +2 +0.0 +at least 95 +\S+ \S+Z +open", listed.out)
    ff("supplier", "dismiss", poor, "--rate", "on_time_dispatch", "--reason", "a flood")
    dismissed = ff("supplier", "proposals", "--state", "dismissed", "--json").json
    assert [each["rate"]["name"] for each in dismissed] == ["RATE_NAME_ON_TIME_DISPATCH"]
    assert ff("supplier", "accept", poor, "--rate", "late_shipment_30_days").out == "Supplier poor  suspended\n"
    history = ff("supplier", "history", poor, "--personal").out
    assert re.search(r"supplier.reviewed .* on_time_dispatch 0 of 2 \+ .*, verdict propose_suspension", history)
    assert re.search(r"supplier.suspension_dismissed .* on_time_dispatch, a flood", history)
    assert re.search(r"supplier.suspended +console", history)
    refused = ff("supplier", "accept", poor, "--rate", "cancellation")
    assert (refused.code, "no suspension of supplier poor is proposed" in refused.err) == (1, True)


# --- a checkout -------------------------------------------------------------------------------------


def test_stock_is_held_for_a_checkout_and_given_back(ff: Shell):
    ff("stock", "feed", "acme", "BOWL", "5", "--version", "1")
    held = ff("stock", "reserve", "cart-1", "acme", "BOWL:3", "--minutes", "30", "--json").json["levels"][0]
    assert (held["held"], held["available"]) == (3, 2)
    more = ff("stock", "reserve", "cart-2", "acme", "BOWL:3")
    assert (more.code, "[OUT_OF_STOCK]" in more.err) == (1, True)
    until = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M}Z"
    longer = ff("stock", "extend", "cart-1", "acme", "BOWL", "--until", until)
    assert f"cart-1 holds until {until.replace('T', ' ')}.\n" in longer.out
    assert re.search(r"BOWL +5 +3 +0 +0 +2", longer.out)
    twice = ff("stock", "extend", "cart-1", "acme", "BOWL", "--minutes", "9999")
    assert (twice.code, "[ALREADY_EXTENDED]" in twice.err) == (1, True)
    assert ff("stock", "extend", "cart-1", "acme", "BOWL").code == 2
    freed = ff("stock", "release", "cart-1", "acme", "BOWL", "--json").json["levels"][0]
    assert (freed["held"], freed["available"]) == (0, 5)
    wrong = ff("stock", "reserve", "cart-3", "acme", "BOWL")
    assert (wrong.code, "'BOWL' is not SKU:UNITS such as TEA:2" in wrong.err) == (2, True)
