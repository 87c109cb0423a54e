"""Who was told a wrong number is told the right one; who was told none gets the right one as if it were the first.

Who was told of a part of a parcel is told of the rest.
"""

from __future__ import annotations

from datetime import timedelta

from ledger.decisions import notices as deciding
from ledger.decisions.notices import Notice
from ledger.nouns import messages, orders
from ledger.nouns.messages import MessageAsked, MessageCancelled, MessageKind
from ledger.nouns.parcels import ParcelStatus
from projections.machine.histories import folds
from projections.machine.streams import LoggedFact
from projections.outbox.causes import notices
from tests.support.scenario import NOON, ORDER, Scenario, line, sent, shipped
from tests.support.stored_events import REGISTRY

TEMPLATES = {(kind, "en"): 1 for kind in MessageKind}
FOLD = folds(REGISTRY)[orders.NOUN.prefix]
TOLD = (MessageKind.DISPATCHED, MessageKind.TRACKING_CORRECTED, MessageKind.NOT_DISPATCHED)


class Outbox:
    """Asks for what is due, as the sender's task does."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.asked: set[str] = set()

    def due(self) -> list[Notice]:
        history, logged = None, []
        for position, (stream, fact) in enumerate(self.scenario.log, 1):
            if stream == orders.stream(ORDER):
                history = FOLD(history, fact, position)
                logged.append(LoggedFact(position, fact, history))
        return [each for each in notices(logged) if each.kind in TOLD and each.message_id not in self.asked]

    def asks(self) -> dict[str, str]:
        """What it asks for now, by kind, and why it is cancelled at once."""
        found = {}
        for each in self.due():
            self.asked.add(each.message_id)
            changes = deciding.ask(self.scenario.book, each, TEMPLATES, self.scenario.now)
            self.scenario.record(changes)
            assert isinstance(changes[0][1], MessageAsked)
            because = (fact.because for _, fact in changes if isinstance(fact, MessageCancelled))
            found[str(each.kind)] = next(because, each.about.number)
        return found

    def sends(self) -> None:
        """All that is asked for."""
        for name in self.asked:
            message = messages.find(self.scenario.book, name)
            if message is not None and message.stage is messages.MessageStage.ASKED:
                self.scenario.record(deciding.sent(self.scenario.book, [name], "file", "", self.scenario.now))


def told() -> Outbox:
    """The customer read that the parcel left under P1."""
    outbox = Outbox(shipped())
    assert outbox.asks() == {"dispatched": "P1"}
    outbox.sends()
    return outbox


def test_who_was_told_the_wrong_number_is_told_the_right_one():
    outbox = told()
    outbox.scenario.correct_number("P1", "P2")
    assert outbox.asks() == {"dispatched": "superseded", "tracking_corrected": "P2"}
    outbox.sends()
    outbox.scenario.correct_number("P2", "P3")
    assert outbox.asks() == {"dispatched": "superseded", "tracking_corrected": "P3"}


def test_who_was_told_no_number_gets_the_right_one_as_the_first():
    outbox = Outbox(shipped())
    outbox.scenario.correct_number("P1", "P2")
    assert [str(each.about.number) for each in outbox.due()] == ["P1", "P2", "P2"]
    found = outbox.asks()
    assert found == {"dispatched": "P2", "tracking_corrected": "not_told"}


def test_nobody_is_told_a_number_under_which_the_goods_have_arrived():
    outbox = told()
    outbox.scenario.announce("P2")
    outbox.scenario.scan(ParcelStatus.DELIVERED, number="P2")
    outbox.scenario.correct_number("P1", "P2")
    assert outbox.asks() == {"dispatched": "superseded", "tracking_corrected": "superseded"}


def test_who_was_told_that_it_had_left_is_told_that_it_has_not():
    outbox = told()
    outbox.scenario.correct_number("P1", "P2")
    outbox.asks()
    outbox.scenario.void("P2")
    assert outbox.asks() == {"not_dispatched": ""}


def test_who_was_not_told_that_it_had_left_is_told_nothing_and_who_gets_it_meanwhile_neither():
    outbox = Outbox(shipped())
    outbox.scenario.void()
    assert outbox.asks() == {"dispatched": "superseded", "not_dispatched": "not_told"}
    late = told()
    late.scenario.void()
    late.scenario.ship(number="P2")
    assert late.asks() == {"not_dispatched": "superseded", "dispatched": "P2"}


def test_who_was_told_that_it_had_left_is_told_that_it_has_not_also_where_more_was_reported_meanwhile():
    outbox = told()
    outbox.scenario.void()
    outbox.scenario.ship(number="P2")
    outbox.scenario.correct_number("P2", "P3")
    outbox.scenario.void("P3")
    found = [(each.kind, each.about.earlier) for each in outbox.due() if each.kind is MessageKind.NOT_DISPATCHED]
    assert len(found) == 2
    assert outbox.asks()["not_dispatched"] == "", "P1 was told, and nothing has left"


def test_what_was_told_last_says_whether_the_customer_knows_that_nothing_has_left():
    outbox = told()
    outbox.scenario.void()
    assert outbox.asks() == {"not_dispatched": ""}
    outbox.sends()
    outbox.scenario.ship(number="P2")
    outbox.scenario.void("P2")
    assert outbox.asks() == {"dispatched": "superseded", "not_dispatched": "not_told"}


def test_who_was_told_the_right_number_as_the_first_is_told_that_it_has_not_left_and_of_the_next_one():
    outbox = Outbox(shipped())
    outbox.scenario.correct_number("P1", "P2")
    outbox.asks()
    outbox.sends()
    outbox.scenario.correct_number("P2", "P3")
    assert outbox.asks() == {"dispatched": "superseded", "tracking_corrected": "P3"}
    outbox.sends()
    outbox.scenario.void("P3")
    assert outbox.asks() == {"not_dispatched": ""}


def test_it_is_told_once_that_a_parcel_that_was_reported_line_by_line_did_not_leave():
    outbox = Outbox(sent(line(1, "tea", 2), line(2, "mug", 1)))
    outbox.scenario.ship({1: 2})
    outbox.scenario.ship({2: 1})
    outbox.asks()
    outbox.sends()
    outbox.scenario.void()
    assert [str(each.kind) for each in outbox.due()] == ["not_dispatched"]


# --- what turns out to be in a parcel as well -----------------------------------------------------


def told_of_the_tea() -> Outbox:
    """The customer read that P1 left with the tea; there are mugs as well."""
    outbox = Outbox(sent(line(1, "tea", 2), line(2, "mug", 2)))
    outbox.scenario.ship({1: 2})
    assert outbox.asks() == {"dispatched": "P1"}
    outbox.sends()
    return outbox


def newest(outbox: Outbox) -> MessageAsked:
    return [fact for _, fact in outbox.scenario.log if isinstance(fact, MessageAsked)][-1]


def test_who_was_told_of_a_parcel_is_told_what_else_is_in_it_once():
    outbox = told_of_the_tea()
    outbox.scenario.ship({2: 1})
    assert outbox.asks() == {"dispatched": "P1"}
    assert (newest(outbox).about.further, newest(outbox).about.because) == ({2: 1}, "further")
    outbox.scenario.ship({2: 1})
    assert outbox.asks() == {}


def test_what_is_told_within_minutes_goes_in_one_mail():
    outbox = told_of_the_tea()
    outbox.scenario.later(hours=20)
    for _ in range(2):
        outbox.scenario.later(minutes=1)
        outbox.scenario.ship({2: 1}, at=NOON + timedelta(minutes=len(outbox.scenario.log)))
        outbox.asks()
    waiting = [each for name in outbox.asked if (each := messages.find(outbox.scenario.book, name)) and each.next_at]
    assert len(messages.next_mail(waiting, outbox.scenario.later(minutes=5))) == 2
    assert messages.next_mail(waiting, outbox.scenario.now - timedelta(minutes=4)) == []


def test_who_was_not_told_yet_reads_of_all_that_is_in_the_parcel_at_once():
    outbox = Outbox(sent(line(1, "tea", 2), line(2, "mug", 2)))
    outbox.scenario.ship({1: 2})
    outbox.asks()
    outbox.scenario.ship({2: 2})
    assert outbox.asks() == {"dispatched": "named_with_the_rest"}


def test_nobody_is_told_of_further_units_that_did_not_leave_or_have_arrived():
    outbox = told_of_the_tea()
    outbox.scenario.ship({2: 2})
    outbox.scenario.void()
    assert outbox.asks() == {"dispatched": "superseded", "not_dispatched": ""}
    late = told_of_the_tea()
    late.scenario.scan(ParcelStatus.DELIVERED, late.scenario.later(hours=1))
    late.scenario.ship({2: 2}, at=NOON)
    assert late.asks() == {"dispatched": "superseded"}


def test_who_was_told_the_right_number_is_told_of_further_units_under_it():
    outbox = told_of_the_tea()
    outbox.scenario.correct_number("P1", "P2")
    outbox.asks()
    outbox.sends()
    outbox.scenario.ship({2: 2}, number="P2")
    assert outbox.asks() == {"dispatched": "P2"}
    assert newest(outbox).about.further == {2: 2}
