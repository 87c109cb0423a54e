"""Recoveries at a terminal: a supplier that settles, a claim from the loss to the money, a list of what is due."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.service import Service
from tests.support.terminal import Console, Shell

LEFT_AT = (datetime.now(UTC) - timedelta(days=20)).strftime("%Y-%m-%dT%H:%M")
PERSON = (
    *("--currency", "EUR", "--paid", "--name", "Ann Example", "--email", "ann@example.org"),
    *("--address", "1 Elm Street", "--city", "Berlin", "--country", "DE"),
)


@pytest.fixture(scope="module")
def service(service: Service) -> Service:
    since = (datetime.now(UTC) - timedelta(days=90)).strftime("%Y-%m-%d")
    Console(service.address)("supplier", "add", "acme", "--name", "Acme Ltd", "--approve", "--at", since)
    return service


def shipped(ff: Shell, number: str) -> str:
    """An order that left twenty days ago, in a parcel of its own number."""
    order = f"shop/{number}"
    for words in (
        ("place", "--channel", "shop", "--id", number, "--line", "TEA:1:9.90:acme", "--placed-at", LEFT_AT, *PERSON),
        ("order", "send", f"{order}/1", "--at", LEFT_AT),
        ("order", "ship", f"{order}/1", "--carrier", "dhl", "--number", number.upper(), "--at", LEFT_AT),
    ):
        result = ff(*words)
        assert result.code == 0, result.err
    return order


def test_a_supplier_is_asked_answers_and_settles(ff: Shell):
    order = shipped(ff, "ask")
    about = ("--order", order, "--supplier-order", f"{order}/1", "--currency", "EUR")
    opened = ff("recovery", "open", "ask-1", "supplier_fault", *about, "--cost", "refund-1:refund:9.90")
    assert "Recovery ask-1  proposed, asked 9.90 EUR" in opened.out
    assert "asked 12.40 EUR" in ff("recovery", "raise", "ask-1", "freight-1:freight:2.50").out
    assert "disputed" in ff("recovery", "answer", "ask-1", "--disputes", "worn").out
    assert "accepted 12.00 EUR" in ff("recovery", "answer", "ask-1", "--accepts", "12.00").out
    ff("recovery", "settle", "ask-1", "5.00", "--reference", "cn-1")
    settled = ff("recovery", "settle", "ask-1", "7.00", "--reference", "d-2", "--method", "deduction")
    assert "settled, asked 12.40 EUR, accepted 12.00 EUR, received 12.00 EUR" in settled.out
    shown = ff("recovery", "show", "ask-1").out
    assert re.search(r"refund-1 +refund +9.90 EUR", shown)
    assert re.search(r"d-2 +\S+ \S+ +deduction +7.00 EUR", shown)
    too_much = ff("recovery", "settle", "ask-1", "0.01", "--reference", "cn-3")
    assert (too_much.code, "[RECOVERY_ENDED]" in too_much.err) == (1, True)


def test_a_claim_goes_from_the_loss_to_the_money_and_back(ff: Shell, tmp_path: Path):
    order = shipped(ff, "lost")
    parcel = ("--order", order, "--carrier", "dhl", "--number", "LOST", "--currency", "EUR")
    opened = ff("recovery", "open", "claim-1", "carrier_loss", *parcel, "--cost", "refund-1:refund:9.90")
    assert "eligible" in opened.out
    invoice = tmp_path / "invoice.pdf"
    invoice.write_bytes(b"an invoice")
    ff("recovery", "document", "claim-1", "invoice", "--file", str(invoice))
    assert "still missing" in ff("recovery", "show", "claim-1").out
    ff("recovery", "document", "claim-1", "order", "--sha256", "ab" * 32)
    assert "documented" in ff("recovery", "document", "claim-1", "tracking_log", "--sha256", "cd" * 32).out
    documents = ff("recovery", "show", "claim-1", "--json").json["documents"]
    assert documents[0]["sha256"] == hashlib.sha256(b"an invoice").hexdigest()
    assert "filed" in ff("recovery", "file", "claim-1").out
    assert "acknowledged" in ff("recovery", "acknowledge", "claim-1", "--reference", "DHL-7").out
    assert "denied" in ff("recovery", "decide", "claim-1", "--denies", "packed badly").out
    assert "appealed" in ff("recovery", "appeal", "claim-1", "--reason", "photos show it").out
    assert "approved 9.90 EUR" in ff("recovery", "decide", "claim-1", "--approves", "9.90").out
    assert "paid" in ff("recovery", "pay", "claim-1", "9.90", "--reference", "p-1").out
    ff("recovery", "give-back", "claim-1", "2.00:EUR", "--reference", "b-1")
    shown = ff("recovery", "show", "claim-1").out
    assert re.search(r"b-1 +\S+ \S+ +given back +2.00 EUR", shown)
    assert re.search(r"carrier's reference +DHL-7", shown)
    history = ff("recovery", "history", "claim-1", "--personal").out
    facts = re.findall(r"(recovery\.\w+|parcel\.\w+)", history)
    # The clock adds what it notices of the parcel whenever it looks.
    of_the_claim = [fact for fact in facts if fact.startswith("recovery.")]
    assert (facts[0], of_the_claim[-1]) == ("parcel.registered", "recovery.payment_returned")
    assert "packed badly" in history
    assert "packed badly" not in ff("recovery", "history", "claim-1").out
    assert "parcel." not in ff("recovery", "history", "claim-1", "--no-parcels").out


def test_the_list_shows_what_is_due_first_and_hides_what_is_over(ff: Shell):
    order = shipped(ff, "listed")
    supplier = ("--order", order, "--supplier-order", f"{order}/1", "--currency", "EUR")
    parcel = ("--order", order, "--carrier", "dhl", "--number", "LISTED", "--currency", "EUR")
    for recovery_id, kind, about in (
        ("l-claim", "carrier_loss", parcel),
        ("l-over", "supplier_fault", supplier),
        ("l-asked", "supplier_fault", supplier),
    ):
        assert ff("recovery", "open", recovery_id, kind, *about, "--cost", "refund-1:refund:9.90").code == 0
    ff("recovery", "write-off", "l-over", "--reason", "small")
    shown = ff("recovery", "list", "--order", order).out
    assert [line.split()[0] for line in shown.splitlines()[1:]] == ["l-asked", "l-claim"]
    assert re.search(r"l-claim +dhl +eligible +\d{4}-\d\d-\d\d \d\d:\d\dZ +9.90 EUR", shown)
    everything = ff("recovery", "list", "--order", order, "--all", "--json").json
    assert {each["recovery_id"] for each in everything} == {"l-asked", "l-claim", "l-over"}
    assert "l-claim" not in ff("recovery", "list", "--order", order, "--party", "supplier").out
    assert "No recoveries." in ff("recovery", "list", "--order", order, "--status", "paid").out
    assert "l-asked" in ff("recovery", "list", "--order", order, "--due-within", "48").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("answer", "x"), "Say one of --accepts and --disputes"),
        (("decide", "x", "--approves", "1", "--denies", "no"), "Say one of --approves and --denies"),
        (("document", "x", "photo"), "Name the document with one of --file and --sha256"),
        (
            ("open", "x", "carrier_loss", "--order", "a/1", "--currency", "EUR", "--cost", "a:b:1"),
            "'a:b:1' is not ID:KIND:AMOUNT",
        ),
    ],
)
def test_what_is_not_understood_is_reported_in_a_sentence(ff: Shell, words: tuple[str, ...], sentence: str):
    result = ff("recovery", *words)
    assert (result.code, sentence in result.err) == (2, True), result.err


def test_an_unknown_recovery_is_refused_with_its_reason(ff: Shell):
    result = ff("recovery", "show", "nobody")
    assert (result.code, "[UNKNOWN_RECOVERY]" in result.err) == (1, True)
