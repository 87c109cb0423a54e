"""The console: an order walked from the shop to the door by hand, and every way in which it can say no."""

from __future__ import annotations

import ast
import inspect
import json
import os
import pty
import re
import socket
import struct
import sys
import termios
import time
import tomllib
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from fcntl import ioctl
from io import StringIO
from pathlib import Path
from typing import Any

import click
import grpc
import pytest
from google.protobuf.message import Message
from rich.cells import cell_len
from rich.console import Console

from adapters.console import files, suppliers, words
from adapters.console.history import gist
from adapters.console.main import root, run
from adapters.console.sentences import COMMANDS
from adapters.console.session import Printer
from adapters.rpc.statuses import status_of
from fulfilment.v1 import admin_pb2, batch_pb2, common_pb2, orders_pb2, rates_pb2, suppliers_pb2, totals_pb2
from ledger.refusals import ProjectionBehind
from tests.house.test_contract import files as files_of_the_contract
from tests.support.service import (
    HOUSE,
    Client,
    Service,
    context,
    stamp,
)
from tests.support.terminal import Said, Terminal

ADDRESS = ("--address", "1 Elm Street", "--city", "Berlin", "--postal-code", "10115", "--country", "DE")
PERSON = ("--name", "Ann Example", "--email", "ann@example.org", *ADDRESS)
NUMBER = "00340434161094042557"

Shell = Callable[..., Said]


@pytest.fixture(scope="module")
def service(service: Service) -> Service:
    Terminal(service.address)("supplier", "add", "acme", "--name", "Acme Ltd", "--approve")
    return service


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Types a command in this process, which is faster than a process each."""
    for name in ("FULFILMENT_SERVER", "FULFILMENT_TENANT", "FULFILMENT_ACTOR"):
        monkeypatch.delenv(name, raising=False)

    def type_in(*arguments: str) -> Said:
        code = run(arguments)
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return type_in


@pytest.fixture
def ff(shell: Shell, service: Service) -> Shell:
    """The console at the service of this module."""
    return lambda *arguments: shell(*arguments, "--server", service.address)


def placed(ff: Shell, number: str, *more: str, line: str = "TEA:2:9.90:acme") -> Said:
    said = ff("place", "--channel", "shop", "--id", number, "--line", line, "--currency", "EUR", *PERSON, *more)
    assert said.code == 0, said.err
    return said


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
        said = ff(*command)
        assert said.code == 0, said.err

    shown = ff("show", "shop/walk").out
    assert "Order shop/walk  delivered" in shown
    assert re.search(r"TEA +acme +9.90 EUR +2 +2 +untracked", shown)
    assert re.search(rf"dhl {NUMBER} +1 .* delivered", shown)
    assert "on time" in shown
    history = ff("history", "shop/walk").out
    facts = re.findall(r"(order\.\w+|parcel\.\w+)", history)
    assert facts[0] == "order.placed"
    assert "in_transit, Leipzig, DE" in history
    assert ff("parcel", "show", "dhl", NUMBER).out.count("delivered") >= 2


def test_what_an_order_lacks_is_named_and_can_be_completed(ff: Shell):
    said = ff("place", "--channel", "shop", "--id", "lacks", "--line", "TEA:1:9.90", "--currency", "EUR")
    assert "supplier_id of line 1; ship_to; customer; payment" in said.out
    assert "Next: fulfilment order complete shop/lacks" in said.out

    said = ff("order", "complete", "shop/lacks", "--line", "1:TEA:1:9.90:acme", *PERSON, "--payment", "paid")

    assert "Order shop/lacks  confirmed" in said.out


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
    terminal = Terminal(service.address)

    assert terminal("place", "--file", str(path)).code == 0
    assert terminal("place", "--file", "-", typed=json.dumps({**order, "channelOrderId": "typed"})).code == 0
    assert terminal("show", "shop/typed", "--json").json["currency"] == "JPY"
    assert "no PlaceOrderRequest" in terminal("place", "--file", "-", typed='{"colour": 1}').err


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


def test_terms_can_be_changed_and_the_others_kept(ff: Shell):
    ff("supplier", "add", "keeper", "--name", "Keeper", "--contact", "Wei", "--return-address", "Longjing Road 1")
    none = ff("supplier", "terms", "keeper", "--keep", "--dispatch", "72")
    assert (none.code, "keeper has no terms then that --keep could take over" in none.err) == (2, True)
    first = ("--dispatch", "48", "--answer", "12", "--compensation", "500", "--cap", "20:EUR")
    ff("supplier", "terms", "keeper", "--from", "2026-01-01", *first)
    peak = ("--peak", "2026-12-01", "2026-12-31", "24")
    said = ff("supplier", "terms", "keeper", "--from", "2026-06-01", "--keep", "--dispatch", "72", *peak)
    assert re.search(r"dispatch within +72 h\nanswer within +12 h\ncompensation +5 % .*at most 20.00 EUR\n", said.out)
    assert re.search(r"peak +2026-12-01 00:00Z to 2026-12-31 00:00Z: 24 h longer", said.out)
    ff("supplier", "terms", "keeper", "--from", "2026-07-01", "--keep", "--compensation", "0")
    last, before, _ = ff("supplier", "show", "keeper", "--json").json["agreements"]
    assert (last["dispatch_within_hours"], last["compensation_basis_points"], last["peaks"]) == (72, 0, before["peaks"])


def test_terms_that_another_changed_meanwhile_are_not_kept_by_mistake(
    ff: Shell, service: Service, monkeypatch: pytest.MonkeyPatch
):
    ff("supplier", "add", "twofold", "--name", "Twofold")
    ff("supplier", "terms", "twofold", "--dispatch", "48", "--answer", "12")
    shown = suppliers._read

    def shown_before_another_changes_it(session: Any, supplier_id: str) -> Any:
        found = shown(session, supplier_id)
        # As of now, for nobody said from when on.
        agreement = suppliers_pb2.Agreement(dispatch_within_hours=24)
        request = suppliers_pb2.AgreeTermsRequest(context=context(), supplier_id=supplier_id, agreement=agreement)
        with Client(service.address) as other:
            other.suppliers.AgreeTerms(request)
        return found

    monkeypatch.setattr(suppliers, "_read", shown_before_another_changes_it)
    said = ff("supplier", "terms", "twofold", "--keep", "--answer", "24")
    monkeypatch.undo()
    assert (said.code, "[CHANGED_MEANWHILE]" in said.err) == (1, True)
    last, _ = ff("supplier", "show", "twofold", "--json").json["agreements"]
    assert last["dispatch_within_hours"] == 24


def test_what_is_odd_stands_on_standard_error_beside_the_answer(ff: Shell, shell: Shell, service: Service):
    ff("supplier", "add", "odd", "--name", "Odd")
    at_our_service = ("--server", service.address, "--json", "--version", "1")
    said = shell("stock", "feed", "odd", "TEA", *at_our_service, "--", "-9")
    assert said.code == 0
    assert said.json
    assert said.err == (
        "Warning: odd has a figure for TEA, which it has not offered\n"
        "Warning: odd has -9 units of TEA, which counts as none\n"
    )


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


def test_an_order_is_shown_as_it_was(ff: Shell):
    position = json.loads(placed(ff, "was", "--paid", "--json").out)["receipt"]["position"]
    ff("order", "send", "shop/was/1")
    assert "draft" in ff("show", "shop/was", "--as-of", str(position)).out
    assert "draft" not in ff("show", "shop/was").out
    assert "Order shop/was" in ff("show", "shop/was", "--as-of", "2999-01-01").out
    assert ff("show", "shop/was", "--as-of", "2000-01-01").code == 1


def test_a_person_is_shown_only_if_asked_for_and_never_once_erased(ff: Shell):
    placed(ff, "person", "--paid")
    assert "Ann" not in ff("show", "shop/person").out
    assert "Ann Example" in ff("show", "shop/person", "--personal").out
    assert "destroyed" in ff("erase", "--order", "shop/person", "--yes").out
    assert "Ann" not in ff("show", "shop/person", "--personal").out


def test_erasing_asks_first(service: Service):
    said = Terminal(service.address)("erase", "--order", "shop/nobody", typed="n\n")
    assert said.code == 130
    assert "cannot be undone" in said.err


def test_a_tenant_has_a_ledger_of_its_own(ff: Shell):
    placed(ff, "mine", "--paid")
    ff("tenant", "add", "other")
    assert "other" in ff("tenant", "list").out
    assert ff("show", "shop/mine", "--tenant", "other").code == 1
    assert ff("show", "shop/mine").code == 0


def test_a_read_model_is_verified_and_rebuilt_from_the_log(ff: Shell):
    assert re.match(r"tracking verified at position \d+: equal, \d+ rows", ff("rebuild", "tracking", "--verify").out)
    assert ff("rebuild", "sla", "--json").json["result"].startswith("rebuilt at position")
    unknown = ff("rebuild", "nonsense")
    assert (unknown.code, "there is no projection nonsense" in unknown.err) == (1, True)


def test_the_console_and_the_service_say_which_version_they_are(ff: Shell, shell: Shell):
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    assert shell("--version") == (0, f"fulfilment {project['version']}\n", "")
    assert f"service {project['version']}\n" in ff("status").out
    assert ff("status", "--json").json["version"] == project["version"]


def test_status_names_the_read_models(ff: Shell):
    found = ff("status", "--json").json
    assert found["position"] > 0
    assert {"tracking", "sla", "supplier_performance"} <= {each["name"] for each in found["projections"]}
    assert "tracking" in ff("status").out


def test_a_long_history_is_read_to_its_end(ff: Shell, service: Service):
    placed(ff, "long")
    states = (orders_pb2.PAYMENT_STATE_AUTHORISED, orders_pb2.PAYMENT_STATE_PENDING)
    changes = [
        batch_pb2.BatchCommand(
            record_payment=orders_pb2.RecordPaymentRequest(
                context=context(), order_id="shop/long", payment=states[n % 2]
            )
        )
        for n in range(1100)
    ]
    with Client(service.address) as client:
        for start in (0, 550):
            client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=changes[start : start + 550]))

    facts = ff("history", "shop/long", "--json").json

    assert [fact["name"] for fact in facts].count("order.payment_changed") == 1100
    assert [fact["version"] for fact in facts] == list(range(1, len(facts) + 1))
    assert facts[-1]["json"]["payment"] == "pending"


# --- reports -----------------------------------------------------------------------------------------


def test_a_supplier_that_is_late_is_named_until_it_ships(ff: Shell):
    ff("supplier", "add", "slow", "--name", "Slow", "--approve", "--at", "2026-01-01")
    placed(ff, "late", "--paid", "--placed-at", "2026-01-02", line="TEA:1:9.90:slow")
    ff("order", "send", "shop/late/1", "--at", "2026-01-02")
    ff("order", "ack", "shop/late/1", "--at", "2026-01-02")
    missed = ("report", "breaches", "--supplier", "slow", "--clock", "dispatch", "--json")
    until(lambda: ff(*missed).json)

    late = ff("report", "late", "--supplier", "slow").out
    ff("order", "ship", "shop/late/1", "--carrier", "dhl", "--number", "LATE1", "--at", "2026-01-10")

    assert re.search(r"shop/late/1 +dispatch +slow +2026-01-04 00:00Z +\d+ d late so far", late)
    assert ff("report", "late", "--supplier", "slow", "--clock", "dispatch").out == "Nothing is late.\n"
    assert "6 d late" in ff("report", "breaches", "--supplier", "slow").out
    (total,) = [each for each in ff("report", "suppliers", "--json").json if each["supplier_id"] == "slow"]
    assert (total["dispatched"], total["on_time"], total["late"]) == (1, 0, 1)
    assert re.search(r"slow +1 +1 +0 +1 +0.0", ff("report", "suppliers").out)


def until(holds: Callable[[], Any], seconds: float = 30) -> None:
    """The clocks of the service tick by themselves."""
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at, "it does not come to pass"
        time.sleep(0.1)


def test_what_is_due_is_listed_by_urgency(ff: Shell):
    placed(ff, "due", "--paid")
    ff("order", "send", "shop/due/1")
    rows = [each for each in ff("report", "due", "--json").json if each["object_id"] == "shop/due/1"]
    assert [each["clock"] for each in rows] == ["OBLIGATION_CLOCK_ACKNOWLEDGE", "OBLIGATION_CLOCK_DISPATCH"]
    assert re.search(r"shop/due/1 +acknowledge +acme +\S+ \S+Z +in 23 h", ff("report", "due").out)
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


def test_rates_without_cases_say_so(ff: Shell):
    assert re.search(r"on time dispatch +0 +0 +no data", ff("report", "rates", "--supplier", "nobody").out)


# --- the supplier manager ----------------------------------------------------------------------------


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
            client.orders.SendSupplierOrder(orders_pb2.SendSupplierOrderRequest(context=context(), **about, at=sent))
            client.orders.ShipSupplierOrder(
                orders_pb2.ShipSupplierOrderRequest(
                    context=context(), **about, carrier="dhl", tracking_number=number, at=shipped
                )
            )
    return "poor"


def test_suppliers_are_ranked_by_a_rate(ff: Shell, poor: str):
    rows = ff("report", "rank", "--rate", "on_time_dispatch", "--json").json
    (row,) = [each for each in rows if each["supplier_id"] == poor]
    assert (row["numerator"], row["denominator"], row["status"]) == (0, 2, "RATE_STATUS_BREACH")
    assert re.search(r"poor +0 +2 +0.0 +at least 95 +breach", ff("report", "rank", "--rate", "on_time_dispatch").out)


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
def test_a_target_is_told_as_the_rule_has_it(ff: Shell, poor: str, rate: str, target: str):
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
    assert ff(*on_time).out == "It counted nothing.\n"
    both = ff("report", "counted", "--rate", "on_time_dispatch", "--supplier", poor, "--json").json
    assert [each["object_id"] for each in both] == ["shop/poor-1/1", "shop/poor-2/1"]


def test_clocks_are_counted_and_breaches_listed_by_who_missed_them(ff: Shell, poor: str):
    until(lambda: ff("report", "breaches", "--supplier", poor, "--owner", "supplier", "--json").json)
    assert ff("report", "breaches", "--supplier", poor, "--owner", "retailer").out == "No deadline was missed.\n"
    assert ff("report", "due", "--owner", "carrier", "--supplier", poor).out == "Nothing is due.\n"
    assert ff("report", "late", "--owner", "supplier", "--supplier", poor, "--clock", "dispatch").code == 0
    assert re.search(r"poor +dispatch +0 +0 +2 +0\n", ff("report", "clocks", "--supplier", poor).out)


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
    said = ff("supplier", "review", poor)
    assert re.search(r"verdict +propose suspension", said.out)
    assert re.search(r"late shipment 30 days +2 +2 +100.0 +less than 4 +breach", said.out)
    assert poor not in ff("supplier", "due").out
    assert re.search(r"score +\d+ of 10000", ff("supplier", "show", poor).out)
    listed = ff("supplier", "proposals", "--supplier", poor)
    assert re.search(r"poor +on time dispatch +0 +2 +0.0 +at least 95 +\S+ \S+Z +open", listed.out)
    ff("supplier", "dismiss", poor, "--rate", "on_time_dispatch", "--reason", "a flood")
    dismissed = ff("supplier", "proposals", "--state", "dismissed", "--json").json
    assert [each["rate"]["name"] for each in dismissed] == ["RATE_NAME_ON_TIME_DISPATCH"]
    assert ff("supplier", "accept", poor, "--rate", "late_shipment_30_days").out == "Supplier poor  suspended\n"
    told = ff("supplier", "history", poor).out
    assert re.search(r"supplier.reviewed .* on_time_dispatch 0 of 2 \+ .*, verdict propose_suspension", told)
    assert re.search(r"supplier.suspension_dismissed .* on_time_dispatch, because a flood", told)
    assert re.search(r"supplier.suspended +console", told)
    refused = ff("supplier", "accept", poor, "--rate", "cancellation")
    assert (refused.code, "no suspension of supplier poor is proposed" in refused.err) == (1, True)


def test_a_chargeback_is_recorded(ff: Shell):
    placed(ff, "charged", "--paid")
    said = ff("order", "chargeback", "shop/charged", "--id", "cb-1", "--amount", "19.80:eur", "--reason", "4853")
    assert said.code == 0, said.err
    (fact,) = [
        each["json"]
        for each in ff("history", "shop/charged", "--json").json
        if each["name"] == "order.chargeback_recorded"
    ]
    assert fact["amount"] == {"amount_minor": 1980, "currency": "EUR"}


# --- refusals and other ends -------------------------------------------------------------------------


def test_a_refusal_is_one_sentence_with_its_reason(ff: Shell):
    said = ff("show", "shop/nowhere")
    assert (said.code, said.out) == (1, "")
    assert said.err == "Error: there is no order shop/nowhere [UNKNOWN_ORDER]\n"


def test_a_refusal_is_json_if_asked_for(ff: Shell):
    said = ff("show", "shop/nowhere", "--json")
    error = json.loads(said.err)["error"]
    assert (said.code, error["reason"], error["details"]["order_id"]) == (1, "UNKNOWN_ORDER", "shop/nowhere")


def test_a_malformed_field_is_named(ff: Shell):
    said = ff("place", "--channel", "sh op", "--id", "1")
    assert said.code == 1
    assert said.err.startswith("Error: channel: 'sh op' is not made of letters, digits")
    assert json.loads(ff("place", "--channel", "sh op", "--id", "1", "--json").err)["error"]["details"]["fields"] == [
        "channel"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("place",),
        ("place", "--channel", "shop", "--id", "1", "--line", "TEA"),
        ("place", "--channel", "shop", "--id", "1", "--line", "TEA:1:9.90"),
        ("place", "--channel", "shop", "--id", "1", "--line", "TEA:1:9.999", "--currency", "EUR"),
        ("place", "--channel", "shop", "--id", "1", "--line", "TEA:1:1.5", "--currency", "JPY"),
        ("place", "--channel", "shop", "--id", "1", "--paid", "--payment", "failed"),
        ("place", "--channel", "shop", "--id", "1", "--line", "TEA:99999999999:1", "--currency", "EUR"),
        ("place", "--channel", "shop", "--file", "-"),
        ("show",),
        ("show", "shop/1", "--as-of", "yesterday"),
        ("order", "cancel", "shop/1", "--by", "nobody"),
        ("order", "ship", "shop/1/1", "--carrier", "dhl", "--number", "1", "--line", "one"),
        ("order", "pay", "shop/1", "--at", "soon"),
        ("erase",),
        ("erase", "--email", "a@example.org", "--phone", "1"),
        ("dance",),
        ("status", "--timeout", "0"),
    ],
    ids=" ".join,
)
def test_what_is_not_understood_is_one_sentence(shell: Shell, arguments: tuple[str, ...]):
    said = shell(*arguments, "--server", "127.0.0.1:1")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Error: ")
    assert said.err.count("\n") == 1
    error = json.loads(shell(*arguments, "--server", "127.0.0.1:1", "--json").err)["error"]
    assert (error["reason"], error["exit_code"]) == ("USAGE", 2)


def test_a_service_that_does_not_run_is_named_with_the_way_to_start_it(shell: Shell):
    said = shell("status", "--server", "127.0.0.1:1")
    assert said.code == 3
    assert said.err == (
        "Error: the service at 127.0.0.1:1 does not answer; start it with `make run`, or name it with --server\n"
    )


def test_a_service_that_is_silent_is_not_waited_for(shell: Shell):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        said = shell("order", "pay", "shop/1", "--request-id", "pay-1", "--server", server, "--timeout", "0.3")
    assert said.code == 3
    assert "repeat it with --request-id pay-1" in said.err


class Stubborn(grpc.GenericRpcHandler):
    """A service that is unavailable some times before it answers."""

    def __init__(self, times: int) -> None:
        self.times, self.asked = times, list[str]()

    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self.answer)

    def answer(self, request: bytes, call: Any) -> bytes:
        answer: Message = orders_pb2.GetOrderResponse()
        if not self.asked or len(self.asked) <= self.times:
            self.asked.append(orders_pb2.RecordPaymentRequest.FromString(request).context.request_id)
            if len(self.asked) <= self.times:
                call.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            answer = common_pb2.Receipt(position=1)
        return answer.SerializeToString()


@pytest.mark.parametrize(("times", "code"), [(2, 0), (9, 3)])
def test_an_unavailable_service_is_asked_again_with_the_same_request_id(shell: Shell, times: int, code: int):
    stubborn = Stubborn(times)
    server = grpc.server(ThreadPoolExecutor(2), handlers=[stubborn])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        said = shell("order", "pay", "shop/1", "--server", f"127.0.0.1:{port}")
    finally:
        server.stop(0)
    assert said.code == code
    assert len(set(stubborn.asked)) == 1
    assert len(stubborn.asked) == min(times + 1, 4)


class Behind(grpc.GenericRpcHandler):
    """A service whose read model needs some time to reach the head of the log, which is 7."""

    def __init__(self, times: int) -> None:
        self.times, self.asked = times, list[int]()

    def service(self, details: Any) -> Any:
        status = admin_pb2.GetStatusResponse(position=7).SerializeToString()
        answer = self.summary if details.method.endswith("GetSummary") else lambda *_: status
        return grpc.unary_unary_rpc_method_handler(answer)

    def summary(self, request: bytes, call: Any) -> bytes:
        self.asked.append(totals_pb2.GetSummaryRequest.FromString(request).at_least)
        if len(self.asked) <= self.times:
            call.abort_with_status(status_of(ProjectionBehind("supplier_performance", 7, 3)))
        return totals_pb2.GetSummaryResponse(orders=1).SerializeToString()


def test_a_report_waits_until_the_read_model_has_caught_up(shell: Shell):
    behind = Behind(times=5)
    server = grpc.server(ThreadPoolExecutor(2), handlers=[behind])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        said = shell("report", "summary", "--json", "--server", f"127.0.0.1:{port}")
    finally:
        server.stop(0)
    assert (said.code, said.json["orders"]) == (0, 1)
    assert behind.asked == [7] * 6


def test_options_may_stand_anywhere(service: Service, shell: Shell):
    server = ("--server", service.address)
    ends = [shell(*server, "tenant", "list", "--json"), shell("tenant", *server, "--json", "list")]
    assert [(each.code, each.json[0]["tenant"]) for each in ends] == [(0, "default")] * 2


def test_the_environment_says_where_and_whose(service: Service):
    terminal = Terminal(service.address, "nobody")
    assert "UNKNOWN_TENANT" in terminal("status").err
    assert terminal("status", "--tenant", "default").code == 0


def test_a_reader_that_has_seen_enough_is_no_trouble(service: Service):
    terminal = Terminal(service.address)
    process = terminal.start("status", "--json")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


# --- its own words -----------------------------------------------------------------------------------


def test_lines_are_counted_alike_in_holds_in_errors_and_in_options(ff: Shell, tmp_path: Path):
    source = tmp_path / "order.json"
    tea, mug = ({"line_no": number, "sku": sku, "quantity": 1} for number, sku in ((7, "TEA"), (9, "MUG")))
    order = {
        "channel": "shop",
        "channel_order_id": "numbered",
        "currency": "EUR",
        "lines": [tea | {"supplier_id": "acme"}, mug],
    }
    source.write_text(json.dumps(order))
    assert "supplier_id of line 9;" in ff("place", "--file", str(source)).out
    assert "supplier_id of line 9;" in ff("show", "shop/numbered").out
    (held,) = [line for line in ff("order", "holds").out.splitlines() if "shop/numbered" in line]
    assert "supplier_id of line 9;" in held
    wrong = ff("order", "complete", "shop/numbered", "--line", "9:MUG:1:5:a/b")
    assert (wrong.code, "supplier_id of line 9" in wrong.err, "[0]" in wrong.err) == (1, True, False)
    paths = json.loads(ff("order", "complete", "shop/numbered", "--line", "9:M:1:5:a/b", "--json").err)
    assert paths["error"]["details"]["fields"] == ["lines[0].supplier_id"]


def rpcs_in_sentences() -> Iterator[str]:
    """Every RPC that a text of the service names."""
    known = {method.name for file in files_of_the_contract() for service in file.services_by_name.values()
             for method in service.methods}  # fmt: skip
    for folder in ("ledger", "projections", "adapters"):
        for path in (HOUSE / folder).rglob("*.py"):
            if "console" in path.parts:
                continue
            tree = ast.parse(path.read_text())
            told = [ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)]
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in told:
                    yield from (name for name in re.findall(r"\w+", node.value) if name in known and " " in node.value)


DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def test_a_sentence_of_the_service_that_names_an_rpc_names_a_command_at_the_console():
    assert set(rpcs_in_sentences()) - {"Reserve"} == set(COMMANDS)
    for rpc, typed in COMMANDS.items():
        command: click.Command = root
        for name in typed.split():
            assert isinstance(command, click.Group)
            command = command.commands[name]
        assert command.callback is not None
        assert rpc == "RegisterParcel" or rpc in inspect.getsource(inspect.unwrap(command.callback))


def test_a_refusal_names_the_command_that_helps(ff: Shell):
    assert "create it with fulfilment tenant add [UNKNOWN_TENANT]" in ff("status", "--tenant", "nobody").err
    assert "'BAD TENANT' cannot name a tenant: start with a letter a-z" in ff("status", "--tenant", "BAD TENANT").err
    said = json.loads(ff("supplier", "approve", "stranger", "--json").err)
    assert said["error"]["message"] == "supplier stranger is not registered; use fulfilment supplier add"


HOSTILE = "tea\x1b[2J\x9b31m\u202e\x07\rmug\x7f"


def test_no_name_speaks_to_the_terminal(capsys: pytest.CaptureFixture[str]):
    out = Printer()
    out.say(HOSTILE)
    out.title(HOSTILE, HOSTILE)
    out.facts([(HOSTILE, f"{HOSTILE}\nwith a second line")])
    out.table([HOSTILE], [[HOSTILE], [f"{HOSTILE}\nno row of its own"]])
    out.json({HOSTILE: HOSTILE})
    assert run(["place", HOSTILE]) == 2
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert not [letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf") and letter != "\n"]
    assert "tea\\u001b[2J\\u009b31m\\u202e" in said.out
    assert "\\nno row of its own" in said.out
    assert json.loads(said.out[said.out.index("{") :]) == {HOSTILE: HOSTILE}


def test_a_hostile_name_is_shown_escaped_in_a_history_and_a_csv(ff: Shell, tmp_path: Path):
    facts = [[gist({"fact": "x", "city": HOSTILE})]]
    assert "\x1b" not in drawn(["what"], facts, width=80)
    files.write_csv(tmp_path / "x.csv", ["sku"], [{"sku": HOSTILE}])
    assert "\x1b" not in (tmp_path / "x.csv").read_text()


def test_only_the_printer_prints():
    console = sorted((HOUSE / "adapters/console").glob("*.py"))
    prints = re.compile(r"(?<![.\w])print\(|click\.echo\(|stdout\.write")
    assert [path.name for path in console if prints.search(path.read_text())] == [
        "files.py",  # what is to be a file, made plain cell by cell
        "importing.py",  # progress, which is numbers
        "main.py",  # how it ended, made plain
        "session.py",
    ]


NOWHERE = "/nonexistent/x"


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "review", "--csv", NOWHERE),
        ("report", "review", "--csv", "/tmp"),
        ("report", "review", "--parquet", NOWHERE),
        ("report", "review", "--html", NOWHERE),
        ("supplier", "statement", "acme", "--csv", NOWHERE),
        ("place", "--file", NOWHERE),
        ("place", "--file", "/tmp"),
        ("policy", "set", "--file", NOWHERE),
        ("case", "evidence", "add", "C-1", f"{NOWHERE}.jpg"),
        ("recovery", "document", "r-1", "photo", "--file", NOWHERE),
        ("import", "olist", NOWHERE),
    ],
    ids=" ".join,
)
def test_a_path_that_is_no_good_is_told_in_one_sentence(ff: Shell, arguments: tuple[str, ...]):
    said = ff(*arguments)
    assert (said.code, said.out) == (1, "")
    assert re.fullmatch(
        r"Error: (/\S+ cannot be (read|written): (No such file or directory|Is a directory|.*)|there is no folder /\S+)"
        r" \[\w+\]\n",
        said.err,
    ), said.err
    assert "mistake" not in said.err


def test_files_are_read_and_written_in_one_place():
    console = sorted((HOUSE / "adapters/console").glob("*.py"))
    opens = re.compile(
        r"(?<![.\w])open\(|click\.(File|Path)\(|(?<!files)(?<!os)\.(open|read_bytes|read_text)\(|csv\.writer"
    )
    found = [path.name for path in console if opens.search(path.read_text())]
    assert found == ["files.py", "importing.py"], "the folder of an import is the other"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1-2", "'+1-2"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        (-250, "-250"),
        (12.5, "12.5"),
        ("tea=1", "tea=1"),
    ],
)
def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers(value: object, written: str):
    assert files.cell(value) == written


def test_what_a_shop_calls_a_sku_is_no_formula_in_a_csv(ff: Shell):
    placed(ff, "formula", "--paid", line="=1+2:1:5:acme")
    said = ff("report", "review", "--by", "sku", "--sku", "=1+2", "--csv", "-")
    assert said.out.splitlines()[1].startswith("'=1+2,1,")


# --- what it looks like ------------------------------------------------------------------------------


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _commands(child, (*path, name))


@pytest.mark.parametrize("path", list(_commands(root)), ids=lambda path: " ".join(path) or "fulfilment")
def test_every_command_explains_itself(shell: Shell, path: tuple[str, ...]):
    said = shell(*path, "--help")
    assert said.code == 0
    assert re.search(r"^  [A-Z]\w+ ", said.out.partition("\n")[2], re.MULTILINE), said.out


@pytest.mark.parametrize("path", list(_commands(root))[1:], ids=" ".join)
def test_no_help_is_wider_than_a_terminal(shell: Shell, path: tuple[str, ...]):
    assert max(map(len, shell(*path, "--help").out.splitlines())) <= 80


SHAPES = {
    "--amount": "of a case in its own currency, of a chargeback with it",
    "--as-of": "a position or a time of an order, a time of a feed",
    "--cost": "of a recovery with its id and kind",
    "--due-within": "reviews in days, everything else in hours",
    "--line": "a whole line, units of a line, or a line",
    "--owner": "of a hold any name, of work one of few",
    "--reason": "a word, or a sentence for people",
    "--version": "the number of a feed, or which version the console is",
}
"""Options that take something else in some commands, and why."""


def test_an_option_takes_the_same_in_every_command():
    shapes: dict[str, set[str]] = {}
    for path in _commands(root):
        command: click.Command = root
        for name in path:
            assert isinstance(command, click.Group)
            command = command.commands[name]
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                shape = "WORD" if isinstance(option.type, click.Choice) else option.metavar or option.type.name
                shapes.setdefault(option.opts[0], set()).add(shape)
    assert {name for name, found in shapes.items() if len(found) > 1} == SHAPES.keys()
    assert not shapes.keys() & {"--because", "--within", "--no-parcel", "--open"}


def test_json_has_the_names_of_the_contract(ff: Shell):
    placed(ff, "named", "--paid")
    for command, message in (
        (("suppliers",), totals_pb2.SupplierTotal),
        (("rank", "--rate", "cancellation"), rates_pb2.Rate),
    ):
        (row, *_) = ff("report", *command, "--json").json
        assert row.keys() - {"supplier_id"} <= set(message.DESCRIPTOR.fields_by_name)
        assert "supplier_id" in row
    fed = ff("stock", "feed", "acme", "BOX", "3", "--json").json
    assert fed["receipt"]["outcome"] == "OUTCOME_APPLIED"
    assert [each["item"]["supplier_id"] for each in fed["levels"]] == ["acme"]


def test_the_words_of_an_argument_are_spelled_out(shell: Shell):
    said = " ".join(shell("order", "hold", "--help").out.split())
    assert "ORDER_ID REASON" in said
    assert "REASON is one of incomplete, awaiting_payment, fraud_review," in said


def test_the_help_names_the_exit_codes(shell: Shell):
    assert re.search(r"3 +the service cannot be reached", shell("--help").out)


def in_a_terminal(server: str, *arguments: str, columns: int = 100) -> str:
    """What a terminal of so many columns shows."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(HOUSE)
        os.environ.update(TERM="xterm-256color", FULFILMENT_SERVER=server)
        os.environ.pop("COLUMNS", None)
        os.execv(sys.executable, [sys.executable, "-m", "adapters.console.main", *arguments])
    ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    seen = b""
    try:
        while piece := os.read(fd, 65536):
            seen += piece
    except OSError:
        pass  # the way in which Linux says that the other side has gone
    os.waitpid(pid, 0)
    os.close(fd)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode()).replace("\r", "")


def test_nothing_is_cut_off_in_a_terminal_of_100_columns(ff: Shell, service: Service):
    number = "A" * 40
    placed(ff, number, "--paid", line=f"{'S' * 40}:2:1234.50:acme")
    ff("order", "send", f"shop/{number}/1")
    ff("order", "ship", f"shop/{number}/1", "--carrier", "dhl", "--number", NUMBER * 2)

    shown = in_a_terminal(service.address, "show", f"shop/{number}")

    assert "…" not in shown.replace("…/1", "")
    assert max(map(len, shown.splitlines())) <= 100
    assert shown.count("S") - shown.count("SKU") >= 40
    assert "1,234.50 EUR" in shown
    assert max(map(len, in_a_terminal(service.address, "history", f"shop/{number}").splitlines())) <= 100


def drawn(columns: list[str], rows: list[list[str]], width: int) -> str:
    """What a terminal of so many columns shows of a table."""
    out, shown = Printer(), StringIO()
    out._console, out.is_terminal = Console(file=shown, width=width), True
    out.table(columns, rows)
    return shown.getvalue()


def test_times_go_on_in_the_next_line_where_a_terminal_is_too_narrow_and_no_word_is_lost():
    row = ["shop/narrow/1", "acme", "cancelled", "2026-01-05 10:00Z", "2026-01-08 15:00Z"]

    shown = drawn(["supplier order", "supplier", "status", "sent", "dispatched"], [row], width=62)

    assert max(map(len, shown.splitlines())) <= 62
    assert set(" ".join(row).split()) <= set(shown.split())


@pytest.mark.parametrize("width", range(30, 111, 4))
def test_no_column_is_cropped_however_narrow_a_terminal_is(width: int):
    columns = ["what", "clock", "supplier", "due", "happened", ">state"]
    rows = [
        ["shop/1001/1", "dispatch", "acme-trading", "2026-01-07 10:00Z", "2026-01-08 15:00Z", "29 h late"],
        ["shop/1002/1", "acknowledge", "绿茶", "2026-01-07 10:00Z", "", "29 d late so far"],
    ]

    shown = drawn(columns, rows, width)

    assert max(map(cell_len, shown.splitlines())) <= width
    assert {word for row in rows for word in " ".join(row).split()} <= set(shown.split())


def test_what_a_broken_column_leaves_free_goes_to_the_others():
    shown = drawn(["rate", "since", "state"], [["on time", "2026-01-07 10:00Z", "no data"]], width=30)
    assert shown.splitlines()[1:] == ["on time  2026-01-07  no data", "         10:00Z             "]


def test_rows_whose_words_do_not_fit_beside_each_other_stand_one_by_one():
    shown = drawn(["what", "units"], [["a-rather-long-word", "many-units"], ["another", ""]], width=27)
    assert shown.split() == ["what", "a-rather-long-word", "units", "many-units", "what", "another"]


def test_only_ids_that_are_longer_than_a_line_break():
    shown = drawn(["sku", "why"], [["S" * 60, "nobody has it"]], width=40)
    assert max(map(len, shown.splitlines())) <= 40
    assert shown.count("S") == 60
    assert {"nobody", "has", "it"} <= set(shown.split())


def test_an_address_is_changed_until_the_goods_are_packed(ff: Shell):
    placed(ff, "moved", "--paid")
    who = ("--name", "Ann Example", "--email", "ann@example.org", "--address", "2 Oak Street", "--country", "DE")
    said = ff("order", "address", "shop/moved", *who, "--city", "Munich")
    assert (said.code, said.out.splitlines()[0]) == (0, "Order shop/moved  confirmed")
    assert "Munich" in ff("show", "shop/moved", "--personal").out
    ff("order", "send", "shop/moved/1")
    ff("order", "pack", "shop/moved/1")
    late = ff("order", "address", "shop/moved", *who, "--city", "Hamburg")
    assert (late.code, "[ALREADY_PACKED]" in late.err) == (1, True)


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


def test_a_pipe_gets_plain_lines(service: Service):
    said = Terminal(service.address)("tenant", "list")
    assert "\x1b" not in said.out
    assert all(line == line.rstrip() for line in said.out.splitlines())


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1234, "EUR", "12.34 EUR"), (1234567, "JPY", "1,234,567 JPY"), (1234, "KWD", "1.234 KWD"), (5, "USD", "0.05 USD")],
)
def test_money_is_written_and_read_in_the_currency_s_own_units(minor: int, currency: str, text: str):
    assert words.money(minor, currency) == text
    assert words.amount_minor(text.split()[0].replace(",", ""), currency) == minor


@pytest.mark.parametrize(
    ("length", "text"),
    [(timedelta(days=3, hours=5), "3 d"), (timedelta(hours=26), "26 h"), (timedelta(minutes=1), "1 min")],
)
def test_a_length_of_time_is_written_in_one_unit(length: timedelta, text: str):
    assert words.span(length) == text


def test_a_fact_is_told_in_a_few_words():
    fact = {
        "fact": "order.supplier_order_shipped",
        "order_id": "shop/1",
        "supplier_order_id": "shop/1/1",
        "by_line": {"1": 2, "2": 1},
        "box": {"key_id": "k", "box": "c2VhbGVk"},
        "promised_by": "2026-03-02T12:00:00Z",
        "gift": False,
    }
    assert gist(fact) == "shop/1/1, line 1: 2 units + line 2: 1 unit, promised by 2026-03-02 12:00Z"


# --- the house ---------------------------------------------------------------------------------------

ALLOWED = {"fulfilment", "grpc", "grpc_status", "click", "rich", "google"}
WRITERS = {"trade": {"pyarrow"}, "trade_page": {"matplotlib"}}
"""What the modules that write files of reports use beside that."""
TERMS = ("ledger.terms.money.", "ledger.terms.order_numbers.", "ledger.facts")
"""The ledger's words for money, numbers and instants, which are the same at a terminal."""


@pytest.mark.parametrize("path", sorted((HOUSE / "adapters/console").glob("*.py")), ids=lambda path: path.stem)
def test_the_console_is_a_client_and_nothing_else(path: Path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name for name in imported if name.startswith(("adapters.", "ledger."))}
    assert all(name.startswith(("adapters.console.", "adapters.olist", "adapters.version.", *TERMS)) for name in ours)
    outside = {name.partition(".")[0] for name in imported - ours} - set(sys.stdlib_module_names)
    assert outside <= ALLOWED | WRITERS.get(path.stem, set())
