"""A timeline tells every fact as a sentence for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from adapters.rpc.finding.sentences import SENTENCES, sealed_in, sentence, with_text
from ledger.facts import Fact, LineNo, Sealed
from ledger.nouns import cases, inquiries, messages, orders, parcels, recoveries, tasks
from ledger.nouns.orders.supplier_orders import LineAnswer, RejectReason, SupplierOrderAcknowledged
from tests.support.stored_events import REGISTRY, Stored, stored

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
TOLD = {noun.NOUN.prefix for noun in (orders, parcels, cases, recoveries, inquiries, messages, tasks)}
LINES = [each for each in stored() if each.stream.partition("-")[0] in TOLD]


@pytest.mark.parametrize("line", LINES, ids=[f"line {n}: {each.fact}" for n, each in enumerate(LINES, 1)])
def test_every_fact_is_a_sentence_without_what_only_programs_read(line: Stored):
    text = sentence(line.decoded())
    assert re.fullmatch(r"[A-Z].*[.]", text), text
    assert not re.search(r"[{}\[\]]|None|StrEnum|b'|  |\.\.|: ?\.|, ?\.| \.", text), text


def test_every_sentence_is_of_a_fact():
    assert SENTENCES.keys() - REGISTRY.classes.keys() == set()


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (
            SupplierOrderAcknowledged(
                "shop/1/1",
                {
                    LineNo(1): LineAnswer(accepted=2),
                    LineNo(2): LineAnswer(rejected=1, because=RejectReason.OUT_OF_STOCK),
                },
                AT,
            ),
            "The supplier answered shop/1/1: accepted 2 of line 1 and rejected 1, because out_of_stock of line 2.",
        ),
        (
            orders.UnitsCancelled("shop/1", {LineNo(1): 1, LineNo(2): 3}, "customer", "changed_mind", AT),
            "The customer cancelled 1 unit of line 1 and 3 units of line 2: changed_mind.",
        ),
        (orders.UnitsCancelled("shop/1", {}, "customer", "", AT), "The customer cancelled the order."),
        (
            orders.OrderAmended("shop/1", AT, added={LineNo(2): 1}, charges=()),
            "The shop changed the order: 1 unit of line 2 more.",
        ),
        (
            orders.OrderAmended("shop/1", AT, 3, outdated=True),
            "The shop changed the order. Newer news was known already, so it changed nothing.",
        ),
        (
            orders.PaymentChanged(order_id="shop/1", payment=orders.PaymentState.PARTLY_REFUNDED, at=AT, outdated=True),
            "The shop says that the payment is partly refunded. Newer news was known already, so it changed nothing.",
        ),
        (
            orders.TagsChanged("shop/1", "mia", AT, added=("vip",), removed=("slow", "gift")),
            "The tags were changed by mia: added vip; removed slow, gift.",
        ),
        (orders.TagsChanged("shop/1", "mia", AT, removed=("slow",)), "The tags were changed by mia: removed slow."),
        (tasks.TaskFinished("hold-1", "called back", "mia", AT), "The work was finished by mia: called back."),
    ],
)
def test_what_a_fact_names_is_told_in_words(fact: Fact, text: str):
    assert sentence(fact) == text


def test_a_fact_without_a_sentence_of_its_own_is_told_by_its_name_and_content():
    class Danced(Fact, frozen=True, tag="order.danced"):
        order_id: str
        supplier_order_id: str
        steps: int
        at: datetime

    assert sentence(Danced("shop/1", "shop/1/1", 3, AT)) == "Danced: shop/1/1, steps 3."


def test_what_people_wrote_is_found_and_told_behind_the_sentence():
    box = Sealed("key-1", b"box")
    note = orders.NoteAdded("shop/1", box, "digest", "mia", AT)
    hold = orders.HoldPlaced(
        order_id="shop/1", hold=orders.Hold(orders.HoldReason.FRAUD_REVIEW, "mia", AT, note=box), at=AT
    )
    assert sealed_in(note) == sealed_in(hold) == (box, "note")
    assert sealed_in(tasks.TaskClaimed("hold-1", "mia", AT)) is None
    assert with_text(sentence(note), "call back") == "A note was written by mia: call back"
