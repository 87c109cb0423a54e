"""What an order does once its customer was erased: it says so, and no repetition tells who that was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ledger.decisions import confirmation, customer_invoices, erasing, intake, remarks
from ledger.facts import Change, Fact, Sealed, may_be_same, same_text
from ledger.facts import SealedText as Text
from ledger.nouns import orders, parcels, tasks
from ledger.nouns.cases import Remedy
from ledger.nouns.inquiries import InquiryAskedDifferently
from ledger.nouns.orders import AddressChanged, Hold, HoldReason, InvoiceWish, NoteAdded, PersonErased
from ledger.terms.parties import Party
from ledger.terms.places import Destination
from tests.support.casework import RESHIP, approved
from tests.support.scenario import HOUR, ORDER, Scenario, confirmed, delivered, line, names, refused

RIGHT, WRONG, LATER = "1.right", "1.wrong", "2.right"
BOX = Sealed("key-2", b"another box")


def erasure(scenario: Scenario, order_id: str) -> list[Change]:
    """What is recorded when the person of an order is erased, whether it is over or not."""
    asked = erasing.Asked("E-1", "mia", even_if_open=True, counts={"keys": 3})
    return erasing.erase(scenario.book, erasing.Belongings((order_id,)), asked, scenario.now)


def erased(scenario: Scenario) -> Scenario:
    scenario.record(erasure(scenario, ORDER))
    return scenario


def test_an_order_says_that_its_customer_was_erased_and_so_does_the_one_that_sends_its_goods_once_more():
    scenario = approved(Remedy.RESHIP).scenario
    changes = erasure(scenario, RESHIP)
    assert {(stream, type(fact)) for stream, fact in changes if isinstance(fact, PersonErased)} == {
        (f"order-{RESHIP}", PersonErased),
        (f"order-{ORDER}", PersonErased),
    }
    scenario.record(changes)
    assert all(scenario.order(each).is_erased for each in (ORDER, RESHIP))


def placed(scenario: Scenario, digest: str, **more: Any) -> list[Fact]:
    return scenario.place(intake=digest, **more)


def noted(scenario: Scenario, digest: str) -> list[Fact]:
    return scenario.record(remarks.add_note(scenario.book, NoteAdded(ORDER, BOX, digest, "mia", scenario.now)))


def held(scenario: Scenario, digest: str) -> list[Fact]:
    hold = Hold(HoldReason.OTHER, "mia", scenario.now, note=BOX, note_digest=digest)
    return scenario.record(confirmation.place_hold(scenario.book, ORDER, hold, scenario.now))


def readdressed(scenario: Scenario, digest: str) -> list[Fact]:
    changed = AddressChanged(ORDER, BOX, Destination("FR"), scenario.now, digest=digest)
    return scenario.record(intake.change_address(scenario.book, changed, scenario.now))


def asked(scenario: Scenario, digest: str) -> list[Fact]:
    return scenario.ask(asked_of=Party.RETAILER, content=digest)


@pytest.mark.parametrize("say", [placed, noted, held, readdressed, asked])
def test_a_repetition_after_the_erasure_records_the_same_whatever_was_guessed(
    say: Callable[[Scenario, str], list[Fact]],
):
    def after(guess: str, erase: bool = True) -> list[str]:
        scenario = Scenario() if say is placed else confirmed()
        if say is placed:
            scenario.approve()
        say(scenario, RIGHT)
        return names(say(erased(scenario) if erase else scenario, guess))

    assert after(RIGHT) == after(WRONG)
    assert after(RIGHT, erase=False) == after(LATER, erase=False) == [], "of another epoch, its moment tells"


def test_an_order_is_told_apart_by_what_stands_in_plain_once_its_digest_cannot_be_compared():
    scenario = confirmed(intake=RIGHT)
    with refused(orders.OrderPlacedDifferently, "was placed already with other content"):
        placed(scenario, WRONG)
    assert placed(scenario, LATER) == []
    with refused(orders.OrderPlacedDifferently, "was placed already with other content"):
        placed(scenario, LATER, lines=(line(1, "tea", 4),))
    with refused(orders.OrderPlacedDifferently, "was placed already with other content"):
        placed(erased(scenario), WRONG, currency="USD")


def test_questions_are_told_apart_as_long_as_they_can_be():
    scenario = confirmed()
    asked(scenario, RIGHT)
    with refused(InquiryAskedDifferently, "with other content"):
        asked(scenario, WRONG)
    assert asked(erased(scenario), WRONG) == []


def test_another_buyer_of_an_invoice_counts_in_another_epoch_and_after_the_erasure():
    def wish(scenario: Scenario, digest: str) -> list[str]:
        wanted = orders.InvoiceRequested(ORDER, InvoiceWish(BOX, digest), "mia", scenario.now)
        return names(scenario.record(customer_invoices.request(scenario.book, wanted, scenario.now)))

    scenario = confirmed()
    assert wish(scenario, RIGHT) == ["invoice_requested"]
    assert wish(scenario, RIGHT) == []
    assert wish(scenario, LATER) == ["invoice_requested"]
    erased(scenario)
    assert wish(scenario, LATER) == wish(scenario, "2.wrong") == ["invoice_requested"]


def test_who_signed_and_what_was_said_of_work_are_not_told_by_trying():
    scenario = delivered()
    parcel = scenario.parcel()
    for digest in (RIGHT, WRONG):
        facts = parcels.prove_delivery(parcel, BOX, "", scenario.now, RIGHT)
        scenario.record([(parcels.stream(parcel.carrier, parcel.number), fact) for fact in facts])
        again = parcels.prove_delivery(scenario.parcel(), BOX, "", scenario.now, digest, erased=True)
        assert again == []
    assert parcels.prove_delivery(scenario.parcel(), BOX, "", scenario.now, WRONG) != []
    said = tasks.TaskCommented("task", BOX, RIGHT, "mia", scenario.now)
    task = tasks.evolve(None, said)
    other = tasks.TaskCommented("task", BOX, WRONG, "mia", scenario.now)
    assert tasks.comment(task, other, exists=True, erased=True) == []
    assert tasks.comment(task, other, exists=True) == [other]
    later = tasks.TaskCommented("task", BOX, WRONG, "mia", scenario.now + HOUR)
    assert tasks.comment(task, later, exists=True, erased=True) == [later]


def test_texts_pass_for_the_same_where_they_cannot_be_compared():
    one, other = Text("k", b"", RIGHT), Text("k", b"", WRONG)
    assert not same_text(one, other)
    assert same_text(one, other, erased=True)
    assert same_text(one, Text("k", b"", "2.wrong"))
    assert not same_text(one, "")
    assert may_be_same(RIGHT, LATER)
