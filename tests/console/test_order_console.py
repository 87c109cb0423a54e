"""Orders and parcels at a terminal: from the shop to the door, shown as they were, tracked and reported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.service import Service
from tests.support.terminal import NUMBER, PERSON, Console, Shell, placed
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("acme")

# --- from the shop to the door -----------------------------------------------------------------------


def test_an_order_is_walked_from_the_shop_to_the_door(ff: Shell):
    assert "Next: fulfilment order send shop/walk/1" in placed(ff, "walk", "--paid").out
    for command in (
        ("order", "send", "shop/walk/1"),
        ("order", "ack", "shop/walk/1"),
        ("order", "pack", "shop/walk/1", "--with", "logo_label"),
        ("order", "ship", "shop/walk/1", "--carrier", "dhl", "--number", NUMBER),
        ("parcel", "scan", "dhl", NUMBER, "in_transit", "--city", "Leipzig", "--country", "de"),
        ("parcel", "scan", "dhl", NUMBER, "delivered"),
        ("order", "review", "shop/walk", "--id", "r1", "--score", "5"),
    ):
        result = ff(*command)
        assert result.code == 0, result.err

    shown = ff("show", "shop/walk").out
    assert "Order shop/walk  delivered" in shown
    assert re.search(r"TEA +acme +9.90 EUR +2 +2 +untracked", shown)
    assert re.search(rf"dhl {NUMBER} +1 .* delivered", shown)
    assert "on time" in shown
    history = ff("history", "shop/walk").out
    facts = re.findall(r"(order\.\w+|parcel\.\w+)", history)
    assert facts[0] == "order.placed"
    assert "in_transit, DE" in history
    assert "Leipzig" in ff("parcel", "show", "dhl", NUMBER, "--personal").out
    assert ff("parcel", "show", "dhl", NUMBER).out.count("delivered") >= 2


def test_what_an_order_lacks_is_named_and_can_be_completed(ff: Shell):
    result = ff("place", "--channel", "shop", "--id", "lacks", "--line", "TEA:1:9.90", "--currency", "EUR")
    assert "supplier_id of line 1; ship_to; customer; payment" in result.out
    assert "Next: fulfilment order complete shop/lacks" in result.out

    result = ff("order", "complete", "shop/lacks", "--line", "1:TEA:1:9.90:acme", *PERSON, "--payment", "paid")

    assert "Order shop/lacks  confirmed" in result.out


def test_the_same_order_again_changes_nothing(ff: Shell):
    words_ = ("--paid", "--request-id", "again-1", "--json")
    first, second = json.loads(placed(ff, "again", *words_).out), json.loads(placed(ff, "again", *words_).out)
    assert (first["receipt"]["outcome"], second["receipt"]["outcome"]) == ("OUTCOME_APPLIED", "OUTCOME_REPLAYED")
    assert first["order"] == second["order"]


def test_a_hold_waits_for_its_owner(ff: Shell):
    placed(ff, "held", "--paid")
    ff("order", "hold", "shop/held", "fraud_review", "--owner", "risk")
    assert ff("order", "send", "shop/held/1").code == 1
    assert "fraud review" in ff("show", "shop/held").out
    assert "confirmed" in ff("order", "release", "shop/held", "fraud_review").out
    assert ff("order", "send", "shop/held/1").code == 0


def test_holds_are_listed_by_reason_and_owner_and_released_by_scope(ff: Shell):
    placed(ff, "waits", "--paid")
    ff("order", "hold", "shop/waits", "fraud_review", "--owner", "risk-team", "--note", "call Ann back")
    ff("order", "hold", "shop/waits", "fraud_review", "--owner", "eve")
    scope = ("--supplier-order", "shop/waits/1")
    next_ = ff("order", "hold", "shop/waits", "bad_address", "--owner", "risk-team", *scope).out
    assert "fulfilment order release shop/waits bad_address --supplier-order shop/waits/1" in next_
    mine = ff("order", "holds", "--owner", "risk-team").out
    assert re.search(r"shop/waits +fraud review +risk-team +\S+ \S+Z +whole order\n", mine)
    assert re.search(r"shop/waits +bad address +risk-team +\S+ \S+Z +shop/waits/1\n", mine)
    both = ff("order", "holds", "--reason", "fraud_review", "--json").json
    assert [each["hold"]["owner"] for each in both if each["order_id"] == "shop/waits"] == ["risk-team", "eve"]
    assert "Ann" not in str(both) + ff("show", "shop/waits").out
    assert "call Ann back" in ff("show", "shop/waits", "--personal").out
    assert "call Ann back" not in ff("show", "shop/waits", "--json").out
    assert ff("order", "release", "shop/waits", "fraud_review", "--owner", "risk-team").code == 0
    assert ff("order", "release", "shop/waits", "bad_address").code == 1
    assert ff("order", "release", "shop/waits", "bad_address", *scope).code == 0
    assert ff("order", "holds", "--owner", "risk-team").out == "Nothing is on hold.\n"


def test_a_history_is_told_in_words_in_the_language_and_the_zone_of_the_reader(ff: Shell):
    placed(ff, "told", "--paid")
    ff("order", "hold", "shop/told", "fraud_review", "--owner", "risk", "--note", "call Ann back")
    ff("order", "release", "shop/told", "fraud_review", "--owner", "risk")
    english = " ".join(ff("history", "shop/told", "--words", "--time-zone", "Asia/Shanghai").out.split())
    assert re.search(r"Asia/Shanghai \(\S*Z?\S* ?\d\d:\d\dZ\), by \S+: The shop shop sold ", english)
    assert "A hold was placed: fraud review. It is for risk to act." in english
    assert "Changed: status from confirmed to on hold. Recorded 20" in english
    assert "call Ann back" not in english
    assert "call Ann back" in ff("history", "shop/told", "--words", "--personal").out
    chinese = "".join(ff("history", "shop/told", "--words", "--language", "zh").out.split())
    assert "订单被搁置：欺诈审核，由risk处理。变更：状态由“已确认”变为“搁置中”。记录于20" in chinese
    facts = ff("history", "shop/told", "--words", "--json").json
    assert len(facts) > 3
    assert all(": " in each["sentence"] for each in facts)
    assert not any(each.get("sentence") for each in ff("history", "shop/told", "--json").json)
    assert "--words" in ff("history", "shop/told", "--language", "zh").err
    assert "time_zone" in ff("history", "shop/told", "--words", "--time-zone", "Mars/Base").err


def test_an_order_says_that_it_is_a_gift(ff: Shell):
    placed(ff, "given", "--paid", "--gift")
    placed(ff, "bought", "--paid")
    assert re.search(r"gift +no prices in the parcel\n", ff("show", "shop/given").out)
    assert ff("show", "shop/given", "--json").json["gift"]
    assert "gift" not in ff("show", "shop/bought").out


def test_the_note_of_an_order_is_personal(ff: Shell):
    placed(ff, "noted", "--paid", "--note", "ring twice")
    assert "ring twice" in ff("show", "shop/noted", "--personal").out
    ff(
        "order",
        "address",
        "shop/noted",
        *PERSON[:4],
        "--address",
        "2 Oak Street",
        "--city",
        "Munich",
        "--country",
        "DE",
    )
    moved = ff("show", "shop/noted", "--personal").out
    assert ("Munich" in moved, "ring twice" in moved) == (True, True)
    assert "ring twice" not in ff("show", "shop/noted", "--json").out


def test_a_supplier_order_is_cancelled_once_the_supplier_agrees(ff: Shell):
    placed(ff, "cancel", "--paid")
    ff("order", "send", "shop/cancel/1")
    asked = ff("order", "cancel", "shop/cancel", "--by", "customer", "--reason", "changed_mind").out
    assert "fulfilment order cancel-answer shop/cancel/1" in asked
    assert "cancelled" in ff("order", "cancel-answer", "shop/cancel/1", "--agreed").out


def test_a_partial_answer_says_what_of_each_line(ff: Shell):
    placed(ff, "partly", "--paid")
    ff("order", "send", "shop/partly/1")
    assert ff("order", "ack", "shop/partly/1", "--reject", "1:1").code == 2
    answer = ("--accept", "1:1", "--reject", "1:1", "--reason", "discontinued")
    assert ff("order", "ack", "shop/partly/1", *answer).code == 0
    (line,) = ff("show", "shop/partly", "--json").json["lines"]
    assert (line["units"]["assigned"], line["units"]["open"]) == (1, 1)


def test_an_order_can_be_a_file_or_standard_input(service: Service, tmp_path: Path):
    order = {"channel": "shop", "channelOrderId": "file", "currency": "JPY", "lines": [{"sku": "TEA", "quantity": 1}]}
    path = tmp_path / "order.json"
    path.write_text(json.dumps(order))
    terminal = Console(service.address)

    assert terminal("place", "--file", str(path)).code == 0
    assert terminal("place", "--file", "-", typed=json.dumps({**order, "channelOrderId": "typed"})).code == 0
    assert terminal("show", "shop/typed", "--json").json["currency"] == "JPY"
    assert "no PlaceOrderRequest" in terminal("place", "--file", "-", typed='{"colour": 1}').err


def test_an_order_is_shown_as_it_was(ff: Shell):
    position = json.loads(placed(ff, "was", "--paid", "--json").out)["receipt"]["position"]
    ff("order", "send", "shop/was/1")
    assert "draft" in ff("show", "shop/was", "--as-of", str(position)).out
    assert "draft" not in ff("show", "shop/was").out
    assert "is later than now" in ff("show", "shop/was", "--as-of", "2999-01-01").err
    assert ff("show", "shop/was", "--as-of", "2000-01-01").code == 1


def test_a_person_is_shown_only_if_asked_for_and_never_once_erased(ff: Shell):
    placed(ff, "person", "--paid")
    assert "Ann" not in ff("show", "shop/person").out
    assert "Ann Example" in ff("show", "shop/person", "--personal").out
    assert "destroyed" in ff("erase", "--order", "shop/person", "--yes", "--even-if-open").out
    assert "Ann" not in ff("show", "shop/person", "--personal").out


# --- reports -----------------------------------------------------------------------------------------


def test_a_supplier_that_is_late_is_named_until_it_ships(ff: Shell):
    ff("supplier", "add", "slow", "--name", "Slow", "--approve", "--at", "2026-01-01")
    placed(ff, "late", "--paid", "--placed-at", "2026-01-02", line="TEA:1:9.90:slow")
    ff("order", "send", "shop/late/1", "--at", "2026-01-02")
    ff("order", "ack", "shop/late/1", "--at", "2026-01-02")
    missed = ("report", "breaches", "--supplier", "slow", "--clock", "dispatch", "--json")
    wait_for(lambda: ff(*missed).json)

    late = ff("report", "late", "--supplier", "slow").out
    ff("order", "ship", "shop/late/1", "--carrier", "dhl", "--number", "LATE1", "--at", "2026-01-10")

    assert re.search(r"shop/late/1 +dispatch +slow +Slow +2026-01-04 00:00Z +\d+ d late so far", late)
    assert ff("report", "late", "--supplier", "slow", "--clock", "dispatch").out == "Nothing is late.\n"
    assert "6 d late" in ff("report", "breaches", "--supplier", "slow").out
    (total,) = [each for each in ff("report", "suppliers", "--json").json if each["supplier_id"] == "slow"]
    assert (total["dispatched"], total["on_time"], total["late"]) == (1, 0, 1)
    assert re.search(r"slow +Slow +1 +1 +0 +1 +0.0", ff("report", "suppliers").out)


def test_what_is_due_is_listed_by_urgency(ff: Shell):
    placed(ff, "due", "--paid")
    ff("order", "send", "shop/due/1")
    rows = [each for each in ff("report", "due", "--json").json if each["object_id"] == "shop/due/1"]
    assert [each["clock"] for each in rows] == ["OBLIGATION_CLOCK_ACKNOWLEDGE", "OBLIGATION_CLOCK_DISPATCH"]
    assert re.search(r"shop/due/1 +acknowledge +acme +Acme Ltd +\S+ \S+Z +in 23 h", ff("report", "due").out)
    assert "shop/due/1" not in ff("report", "due", "--due-within", "1").out


def test_orders_and_parcels_are_tracked(ff: Shell):
    placed(ff, "track", "--paid")
    ff("order", "send", "shop/track/1")
    ff("order", "ship", "shop/track/1", "--carrier", "dhl", "--number", "TRACK1")
    assert "2 of 2 units shipped, 0 delivered" in ff("report", "track", "shop/track").out
    assert "shop/track" in ff("report", "track", "track1").out
    assert ff("report", "track", "TRACK1", "--json").json[0]["order_id"] == "shop/track"
    assert ff("report", "track", "NONE").out == "No parcel has the number NONE.\n"
    placed(ff, "unpaid")
    assert "shop/unpaid" in ff("report", "orders", "--status", "on_hold").out


def test_the_summary_counts_what_was_recorded_a_moment_ago(ff: Shell):
    before = ff("report", "summary", "--channel", "counted", "--json").json
    ff("place", "--channel", "counted", "--id", "1", "--line", "TEA:3:2.50:acme", "--currency", "EUR", *PERSON)
    after = ff("report", "summary", "--channel", "counted", "--json").json
    assert (before["orders"], before["gmv"]) == (0, [])
    assert (after["orders"], after["units"]) == (1, 3)
    assert after["gmv"] == [{"amount_minor": 750, "currency": "EUR"}]
    assert re.search(r"value in EUR +7.50", ff("report", "summary", "--channel", "counted").out)


# --- after it was placed ----------------------------------------------------------------------------


def test_a_chargeback_is_recorded(ff: Shell):
    placed(ff, "charged", "--paid")
    result = ff("order", "chargeback", "shop/charged", "--id", "cb-1", "--amount", "19.80:eur", "--reason", "4853")
    assert result.code == 0, result.err
    (fact,) = [
        each["json"]
        for each in ff("history", "shop/charged", "--json").json
        if each["name"] == "order.chargeback_recorded"
    ]
    assert fact["amount"] == {"amount_minor": 1980, "currency": "EUR"}


def test_an_address_is_changed_until_the_goods_are_packed(ff: Shell):
    placed(ff, "moved", "--paid")
    who = ("--name", "Ann Example", "--email", "ann@example.org", "--address", "2 Oak Street", "--country", "DE")
    result = ff("order", "address", "shop/moved", *who, "--city", "Munich")
    assert (result.code, result.out.splitlines()[0]) == (0, "Order shop/moved  confirmed")
    assert "Munich" in ff("show", "shop/moved", "--personal").out
    ff("order", "send", "shop/moved/1")
    ff("order", "pack", "shop/moved/1")
    late = ff("order", "address", "shop/moved", *who, "--city", "Hamburg")
    assert (late.code, "[ALREADY_PACKED]" in late.err) == (1, True)


def test_drafts_are_sent_many_at_once_and_what_could_not_be_is_said(ff: Shell):
    ff("supplier", "add", "bulk", "--name", "Bulk Ltd", "--approve")
    for number in ("bulk1", "bulk2", "bulk3"):
        placed(ff, number, "--paid", line="BULK:1:1.00:bulk")
    ff("order", "hold", "shop/bulk3", "fraud_review", "--owner", "mia")
    listed = ff("order", "send-drafts", "--supplier", "bulk", "--dry-run").out
    assert re.findall(r"shop/bulk\d/1", listed) == ["shop/bulk1/1", "shop/bulk2/1"]
    assert ff("order", "send-drafts", "--supplier", "bulk", "--channel", "elsewhere").out == "0 sent, 0 not.\n"
    assert ff("order", "send-drafts", "--supplier", "bulk", "--due-within", "1").out == "0 sent, 0 not.\n"
    sent = ff("order", "send-drafts", "--supplier", "bulk", "--json")
    assert (sent.code, sent.json) == (0, {"sent": 2, "refused": {}, "examples": {}})
    assert ff("order", "send-drafts", "--supplier", "bulk").out == "0 sent, 0 not.\n"
    assert "sent" in ff("show", "shop/bulk2").out


def test_a_part_that_keeps_the_address_of_before_is_shown_with_it(ff: Shell):
    placed(ff, "kept", "--paid")
    ff("order", "send", "shop/kept/1")
    ff("order", "ack", "shop/kept/1")
    ff("order", "ship", "shop/kept/1", "--carrier", "dhl", "--number", "KEPT1", "--line", "1:1")
    who = ("--name", "Ann Example", "--email", "ann@example.org", "--address", "2 Oak Street", "--city", "Paris")
    said = ff("order", "address", "shop/kept", *who, "--country", "FR")
    assert "what has left of supplier order shop/kept/1 keeps the address that it had" in said.err
    shown = ff("show", "shop/kept").out
    assert "dhl KEPT1 of shop/kept/1 goes to the address of before: 10, DE" in shown
    assert re.search(r"shop/kept/1 was told another address \S+ \S+ and has to acknowledge again", shown)


def test_a_scan_of_an_earlier_use_is_not_the_last_of_a_parcel(ff: Shell):
    placed(ff, "secondhand", "--paid")
    ff("order", "send", "shop/secondhand/1")
    ff("order", "ship", "shop/secondhand/1", "--carrier", "dhl", "--number", "SECONDHAND1")
    ff("parcel", "scan", "dhl", "SECONDHAND1", "delivered", "--at", "2020-01-05")
    shown = ff("parcel", "show", "dhl", "SECONDHAND1").out
    assert "delivered (of an earlier use)" in shown
    assert re.search("last scan +none yet", shown)
    assert "delivered" not in ff("show", "shop/secondhand").out.partition("parcel")[2]


def test_a_promise_typed_as_a_day_is_a_day(ff: Shell):
    placed(ff, "byday", "--paid", "--promised-by", "2027-01-12")
    order = ff("show", "shop/byday", "--json").json
    assert (order["promised_day"], order["promised_by"]) == ("2027-01-12", "2027-01-12T22:59:59.999999Z")
    assert re.search(r"promised by +2027-01-12$", ff("show", "shop/byday").out, re.MULTILINE)
    assert re.search(r"expected by +2027-01-12$", ff("report", "track", "shop/byday").out, re.MULTILINE)
    placed(ff, "bytime", "--paid", "--promised-by", "2027-01-12T18:00")
    order = ff("show", "shop/bytime", "--json").json
    assert (order["promised_day"], order["promised_by"]) == ("", "2027-01-12T18:00:00Z")


def test_a_delivery_is_proven_and_disputed(ff: Shell):
    placed(ff, "proven", "--paid")
    ff("order", "send", "shop/proven/1")
    ff("order", "ship", "shop/proven/1", "--carrier", "dhl", "--number", "PROVEN1")
    early = ff("parcel", "dispute", "dhl", "PROVEN1", "--reason", "not_received")
    assert (early.code, "[NOT_DELIVERED]" in early.err) == (1, True)
    ff("parcel", "scan", "dhl", "PROVEN1", "delivered")
    assert ff("parcel", "prove", "dhl", "PROVEN1", "--signed-by", "A. Neighbour").code == 0
    shown = ff("parcel", "show", "dhl", "PROVEN1").out
    assert "signed" in shown
    assert "Neighbour" not in shown
    assert "signed by A. Neighbour" in ff("parcel", "show", "dhl", "PROVEN1", "--personal").out
    ff("parcel", "scan", "dhl", "PROVEN1", "in_transit", "--at", "2020-01-05")
    assert "in transit (of an earlier use)" in ff("parcel", "show", "dhl", "PROVEN1").out
    disputed = ff("parcel", "dispute", "dhl", "PROVEN1", "--reason", "not_received", "--json")
    assert disputed.json["parcel"]["status"] != "PARCEL_STATUS_DELIVERED"


# --- notes, tags, and what they find --------------------------------------------------------------


def test_notes_and_tags_are_put_down_shown_and_searched_for(ff: Shell):
    placed(ff, "tagged", "--paid", "--tag", "VIP", "--tag", "slow payer")
    assert ff("order", "note", "shop/tagged", "call before noon", "--actor", "mia").code == 0
    assert ff("order", "tag", "shop/tagged", "fragile", "--remove", "slow payer").code == 0
    shown = ff("show", "shop/tagged").out
    assert re.search(r"tags +fragile, vip", shown)
    assert "call before noon" not in shown
    assert re.search(r"mia +call before noon", ff("show", "shop/tagged", "--personal").out)
    assert re.search(r"shop/tagged +confirmed .* fragile, vip", ff("report", "orders", "--tag", "vip").out)
    assert "No such orders." in ff("report", "orders", "--tag", "slow payer").out


def test_orders_are_listed_by_all_that_is_asked_for(ff: Shell):
    placed(ff, "unsent", "--paid", "--tag", "listed")
    placed(ff, "sent", "--paid", "--tag", "listed")
    ff("order", "send", "shop/sent/1")

    def listed(*options: str) -> list[str]:
        found = json.loads(ff("report", "orders", "--tag", "listed", *options, "--json").out)
        return [each["order_id"] for each in found]

    assert listed("--sku", "TEA", "--supplier", "acme", "--country", "de") == ["shop/unsent", "shop/sent"]
    assert listed("--unsent") == ["shop/unsent"]
    assert listed("--stage", "sent", "--supplier", "acme") == ["shop/sent"]
    assert listed("--late") == []


def test_a_copy_of_a_list_is_kept_by_what_changed_and_what_is_gone(ff: Shell):
    placed(ff, "copied", "--paid")
    ff("order", "hold", "shop/copied", "fraud_review", "--owner", "risk")
    begun = ff("order", "holds", "--changed-after", "0", "--json").json
    assert "shop/copied" in [each["order_id"] for each in begun["rows"]]
    ff("order", "release", "shop/copied", "fraud_review")
    went_on = ff("order", "holds", "--changed-after", str(begun["until"]), "--json").json
    assert (went_on["rows"], went_on["gone"]) == ([], ["shop/copied"])
    shown = ff("order", "holds", "--changed-after", str(begun["until"])).out
    assert "Not here, any more or at all: shop/copied." in shown
    assert re.search(r"--changed-after \d+ goes on from there\.", shown)
    at_rest = ff("report", "orders", "--changed-after", str(went_on["until"]), "--json").json
    assert (at_rest["rows"], at_rest["gone"]) == ([], [])
    sending = ("report", "due", "--clock", "send", "--json")
    due = ff(*sending, "--changed-after", "0").json
    assert "order-shop/copied" in [each["stream"] for each in due["rows"]]
    ff("order", "cancel", "shop/copied", "--by", "customer", "--reason", "changed_mind")
    gone = ff(*sending, "--changed-after", str(due["until"])).json
    assert (gone["rows"], gone["gone"]) == ([], ["order-shop/copied"])
    for command in ("message list", "work list", "report breaches", "effect list"):
        begun = ff(*command.split(), "--changed-after", "0", "--json")
        assert begun.code == 0, begun.err
        assert begun.json.keys() == {"rows", "gone", "until"}
    assert "--limit would leave changes out" in ff("order", "holds", "--changed-after", "0", "--limit", "1").err


def test_a_customer_is_found_and_a_timeline_is_told(ff: Shell):
    placed(ff, "found", "--paid", "--tag", "known")
    ff("order", "note", "shop/found", "call before noon", "--actor", "mia")
    ff("inquiry", "ask", "found-asks", "shop/found", "--by", "customer", "--text", "where is it?")
    listed = ff("find", "--order", "shop/found").out
    assert re.search(r"shop/found +confirmed .* found-asks open +known", listed)
    assert "Nobody is known by it." in ff("find", "--phone", "+49 30 999999").out
    wrong = ff("find", "--email", "a@example.org", "--phone", "1")
    assert (wrong.code, "Give one of" in wrong.err) == (2, True)

    told = ff("order", "timeline", "shop/found").out
    assert re.search(r"order +The shop shop sold 2 TEA", told)
    assert re.search(r"order +A note was written by mia\.", told)
    assert re.search(r"inquiry +The customer asked the retailer about other", told)
    assert "call before noon" not in told
    personal = ff("order", "timeline", "shop/found", "--personal").out
    assert "A note was written by mia: call before noon" in personal
    assert ff("order", "timeline", "shop/nobody").code == 1
    entries = json.loads(ff("order", "timeline", "shop/found", "--json").out)
    assert entries[0]["fact"] == "order.placed"


def test_an_order_is_amended_line_by_line(ff: Shell):
    placed(ff, "amended", "--paid", "--charge", "shipping:4.90", line="TEA:2:9.90:acme")
    changed = ff("order", "amend", "shop/amended", "--quantity", "1:3", "--add", "MUG:1:7.50:acme")
    assert changed.code == 0, changed.err
    order = ff("show", "shop/amended", "--json").json
    assert [(each["wanted"], each["wanted_minor"]) for each in order["lines"]] == [(3, 2970), (1, 750)]
    assert order["charges"][0]["amount_minor"] == 490
    ff("order", "amend", "shop/amended", "--quantity", "1:1", "--price", "1:=5.00", "--charge", "shipping:0")
    order = ff("show", "shop/amended", "--json").json
    assert [(each["wanted"], each["wanted_minor"]) for each in order["lines"]] == [(1, 500), (1, 750)]
    assert order["charges"] == []
    ff("order", "amend", "shop/amended", "--quantity", "1:2", "--add", "POT:1:9.00:acme", "--instead-of", "2")
    assert re.search(r"TEA +acme +10.00 EUR for 2 ", ff("show", "shop/amended").out)
    order = ff("show", "shop/amended", "--json").json
    assert [(each["wanted"], each["wanted_minor"]) for each in order["lines"]] == [(2, 1000), (0, 0), (1, 900)]
    assert order["lines"][2]["line"]["substitute_for"] == 2
    wrong = ff("order", "amend", "shop/amended", "--quantity", "7:1")
    assert (wrong.code, "the order has no line 7" in wrong.err) == (2, True)
