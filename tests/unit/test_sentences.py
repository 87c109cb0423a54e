"""Every fact is a sentence for people, in each language."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, get_args

import msgspec
import pytest

from adapters.sentences import LANGUAGES, SentenceReader, catalogue, sealed_in, sentence, with_text
from adapters.sentences.changes import changes, told
from ledger.facts import Fact, LineNo, Sealed
from ledger.nouns import NOUNS, orders, suppliers, tasks
from ledger.nouns.cases import Case
from ledger.nouns.messages import Message
from ledger.nouns.orders.state import Header
from ledger.nouns.orders.supplier_orders import LineAnswer, RejectReason, SupplierOrderAcknowledged
from ledger.nouns.orders.supplier_orders.state import Stage
from ledger.nouns.recoveries import Recovery
from tests.support.stored_events import REGISTRY, Stored, stored

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
LINES = stored()
READERS = [
    SentenceReader(suppliers={"acme": "Acme Teas"}),
    SentenceReader("zh", "Asia/Shanghai", {"acme": "阿克梅"}, {1: "tea", 2: "mug"}, "EUR"),
]


@pytest.mark.parametrize("line", LINES, ids=[f"line {n}: {each.fact}" for n, each in enumerate(LINES, 1)])
def test_every_fact_is_a_sentence_without_what_only_programs_read(line: Stored):
    for reader in READERS:
        text = sentence(line.decoded(), reader)
        assert re.fullmatch(r"[^.。].*[^;；][.]" if reader.language == "en" else r"[^.。].*[^;；]。", text), text
        assert not re.search(r"[{}\[\]]|None|StrEnum|b'|  |\.\.|: ?[.。]|, ?\.| \.|：。|，。", text), text
        assert not re.search(r"(?<![/(（：\w-])acme(?![/\w-])(?! has)", text), f"a supplier without its name: {text}"


def test_every_fact_has_a_sentence_in_every_language():
    for language in LANGUAGES:
        assert catalogue(language)["facts"].keys() == REGISTRY.classes.keys()
        assert catalogue(language)["changes"].keys() == catalogue("en")["changes"].keys()
        assert catalogue(language)["phrases"].keys() == catalogue("en")["phrases"].keys()
        assert catalogue(language)["parts"].keys() == catalogue("en")["parts"].keys()


def test_every_word_of_a_fact_is_there_in_chinese():
    facts = (fact for noun in NOUNS for fact in noun.facts)
    states = (Header, Stage, Case, Recovery, Message, suppliers.Supplier)
    words = {member.value for each in _words_in(*facts, *states) for member in each}
    assert words - catalogue("zh")["values"].keys() == set()


def _words_in(*types: Any) -> set[type[StrEnum]]:
    found: set[type[StrEnum]] = set()
    seen, waiting = set(), list(types)
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        waiting += get_args(each)
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            waiting += [field.type for field in msgspec.structs.fields(each)]
        elif isinstance(each, type) and issubclass(each, StrEnum):
            found.add(each)
    return found


def test_what_a_fact_replaces_is_told_from_what_to_what():
    acme = suppliers.SupplierRegistered(supplier_id="acme", name="Acme", at=AT, country="CN")
    before = REGISTRY.fold("supplier-acme", None, acme)
    renamed = suppliers.SupplierUpdated(supplier_id="acme", at=AT, name="Acme Teas")
    after = REGISTRY.fold("supplier-acme", before, renamed)
    (change,) = changes(before, after)
    assert [told(change, reader) for reader in READERS] == [
        "name from Acme to Acme Teas",
        "名称由“Acme”变为“Acme Teas”",
    ]
    assert changes(None, before) == changes(after, after) == []


def test_an_instant_is_told_in_the_zone_of_the_reader_and_in_utc():
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    assert SentenceReader().moment(late) == "2026-03-02 23:30Z"
    assert SentenceReader(zone="America/New_York").moment(late) == "2026-03-02 18:30 America/New_York (23:30Z)"
    assert SentenceReader(zone="Asia/Shanghai").moment(late) == "2026-03-03 07:30 Asia/Shanghai (2026-03-02 23:30Z)"


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
            "The supplier answered shop/1/1: accepted 2 of line 1 and rejected 1 because out of stock of line 2.",
        ),
        (
            orders.UnitsCancelled("shop/1", {LineNo(1): 1, LineNo(2): 3}, "customer", "changed_mind", AT),
            "The customer cancelled 1 unit of line 1 and 3 units of line 2: changed mind.",
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


def test_what_people_wrote_is_found_and_told_behind_the_sentence():
    box = Sealed("key-1", b"box")
    note = orders.NoteAdded("shop/1", box, "digest", "mia", AT)
    hold = orders.HoldPlaced(
        order_id="shop/1", hold=orders.Hold(orders.HoldReason.FRAUD_REVIEW, "mia", AT, note=box), at=AT
    )
    assert sealed_in(note) == sealed_in(hold) == (box, "note")
    assert sealed_in(tasks.TaskClaimed("hold-1", "mia", AT)) is None
    assert with_text(sentence(note), "call back") == "A note was written by mia: call back"
