"""Who was told a wrong number is told the right one; who was told none gets the right one as if it were the first."""

from __future__ import annotations

from ledger.decisions import notices as deciding
from ledger.decisions.notices import Notice
from ledger.nouns import messages, orders
from ledger.nouns.messages import MessageAsked, MessageCancelled, MessageKind
from ledger.nouns.parcels import ParcelStatus
from projections.machine.histories import folds
from projections.machine.streams import LoggedFact
from projections.outbox.causes import notices
from tests.support.scenario import ORDER, Scenario, line, sent, shipped
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
