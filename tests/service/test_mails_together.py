"""Steps of one order or case within minutes become one mail, and no step overtakes an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from adapters.mail.mails import NotTaken
from ledger.nouns import messages
from ledger.nouns.cases import Reason, Remedy
from ledger.nouns.messages import MessageKind
from ledger.nouns.orders import HoldReason
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.parties import Party
from projections.outbox import MessageState, OutboxMessage
from tests.support.casework import PHOTO, Desk
from tests.support.office import Office, Postbox, an_office
from tests.support.scenario import confirmed, delivered, line, sent, shipped
from tests.support.stalls import EmptyTenant


async def a_case(office: Office) -> Desk:
    """A case of goods that arrived some days ago, of which everything before is told."""
    desk = Desk(delivered(**office.customer()))
    office.use(desk.scenario)
    await office.tick()
    desk.scenario.later(days=1)
    await office.tick()
    return desk


async def what_each_says_alone(office: Office, found: Sequence[OutboxMessage]) -> list[str]:
    """A paragraph of each message that stands in none of the others."""
    letters, log = office.outbox._letters, office.tenant.log
    view = await letters.present(log, [(each.message_id, each.about) for each in found])
    asked = [messages.known(messages.find(view, each.message_id), each.message_id).asked for each in found]
    paragraphs = [set((await letters.write(log, view, each)).text.split("\n\n")) for each in asked]
    others = [set().union(*paragraphs[:index], *paragraphs[index + 1 :]) for index in range(len(paragraphs))]
    return [min(own - other) for own, other in zip(paragraphs, others, strict=True)]


async def test_steps_of_a_case_within_minutes_are_one_mail_in_the_order_in_which_they_happened(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox, window_minutes=3) as office:
        desk = await a_case(office)
        told, before = len(postbox.letters), office.facts()["message.sent"]
        desk.opens(Reason.DAMAGED)
        await office.tick()
        desk.scenario.later(minutes=1)
        desk.files()
        desk.reviews()
        await office.tick()
        desk.scenario.later(minutes=1)
        desk.rules(Party.SUPPLIER, PHOTO)
        desk.approves(Remedy.REFUND)
        await office.tick()
        assert len(postbox.letters) == told
        desk.scenario.later(minutes=1)
        await office.tick()
        (letter,) = postbox.letters[told:]
        assert office.facts()["message.sent"] == before + 3
        steps = sorted(
            (each for each in await office.messages() if each.kind == "case_step"), key=lambda each: each.cause
        )
        assert {each.state for each in steps} == {MessageState.SENT}
        in_one_mail = await office.messages(mail_id=letter.mail_id)  # so a bounce of it finds them all
        assert sorted(in_one_mail, key=lambda each: each.cause) == steps
        assert [each.about.because for each in steps] == ["opened", "under_review", "approved_refund"]
        places = [letter.text.index(words) for words in await what_each_says_alone(office, steps)]
        assert places == sorted(places)


async def test_a_step_after_the_window_is_a_mail_of_its_own(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox, window_minutes=3) as office:
        desk = await a_case(office)
        told = len(postbox.letters)
        for step in (lambda: desk.opens(Reason.DAMAGED), desk.reviews):
            step()
            await office.tick()
            desk.scenario.later(minutes=4)
            await office.tick()
        assert len(postbox.letters) == told + 2


async def test_two_parcels_that_leave_together_are_one_mail(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox, window_minutes=3) as office:
        scenario = sent(line(1, "tea", 3), **office.customer())
        office.use(scenario)
        await office.tick()
        scenario.ship({1: 1}, number="P1")
        scenario.ship({1: 2}, number="P2")
        await office.tick()
        scenario.later(minutes=3)
        await office.tick()
        (letter,) = [each for each in postbox.letters if each.message_id.startswith("dispatched")]
        assert letter.text.index("P1") < letter.text.index("P2")


async def test_what_else_turns_out_to_be_in_a_parcel_is_one_mail_about_that_alone(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox, window_minutes=3) as office:
        scenario = sent(line(1, "tea", 3), line(2, "mug", 2), line(3, "cup", 1), **office.customer())
        office.use(scenario)
        await office.tick()
        scenario.ship({1: 3})
        scenario.later(minutes=3)
        await office.tick()
        told = len(postbox.letters)
        scenario.later(hours=20)
        for by_line in ({2: 2}, {3: 1}):
            scenario.ship(by_line)
            await office.tick()
            scenario.later(minutes=1)
        scenario.later(minutes=3)
        await office.tick()
        (letter,) = [each for each in postbox.letters[told:] if each.message_id.startswith("dispatched")]
        assert ("tea" in letter.text, "2 × mug" in letter.text, "1 × cup" in letter.text) == (False, True, True)
        assert "There is more in the parcel" in letter.text
        assert letter.subject.startswith("More of your order")


async def test_an_urgent_step_goes_at_once_and_takes_along_what_waits(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox, window_minutes=3) as office:
        scenario = sent(**office.customer())
        office.use(scenario)
        await office.tick()
        scenario.ship()
        await office.tick()
        assert postbox.kinds_sent_to("customer") == ["order_confirmed"]
        scenario.later(minutes=1)
        scenario.scan(ParcelStatus.OUT_FOR_DELIVERY)
        await office.tick()
        assert postbox.kinds_sent_to("customer") == ["order_confirmed", "dispatched"]
        assert office.facts()["message.sent"] == len(postbox.letters) + 1


async def test_no_step_overtakes_one_that_waits_to_be_tried_again_and_other_orders_go_on(tenant: EmptyTenant):
    postbox = Postbox(fails=1)
    async with an_office(tenant, postbox) as office:
        scenario = confirmed(**office.customer())
        office.use(scenario)
        await office.tick()
        assert await office.states() == {"order_confirmed": "failed"}
        scenario.send()
        scenario.ship()
        scenario.place(line(1, "mug", 1), order_id="shop/2", **office.customer("shop/2"))
        for _ in range(2):
            await office.tick()
        to_customers = [each for each in postbox.letters if each.audience == "customer"]
        assert [each.message_id.partition("-")[0] for each in to_customers] == ["order_confirmed"]
        scenario.later(minutes=2)
        for _ in range(2):
            await office.tick()
        of_order = [each.message_id.partition("-")[0] for each in postbox.letters if each.audience == "customer"]
        assert of_order == ["order_confirmed", "order_confirmed", "dispatched"]


async def test_those_that_wait_for_an_earlier_one_take_no_turn_from_others(
    tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapters.messages.outbox.MOST_AT_ONCE", 1)
    postbox = Postbox(fails=1)
    async with an_office(tenant, postbox) as office:
        scenario = confirmed(**office.customer())
        office.use(scenario)
        await office.tick()
        scenario.send()
        scenario.ship()
        for _ in range(3):
            await office.tick()
        scenario.later(seconds=5)
        scenario.place(line(1, "mug", 1), order_id="shop/2", **office.customer("shop/2"))
        for _ in range(3):
            await office.tick()
        assert postbox.kinds_sent_to("customer") == ["order_confirmed"]
        scenario.later(minutes=2)
        for _ in range(3):
            await office.tick()
        assert postbox.kinds_sent_to("customer") == ["order_confirmed", "order_confirmed", "dispatched"]


async def test_a_mail_that_was_not_taken_goes_again_as_it_was_and_what_came_meanwhile_comes_after_it(
    tenant: EmptyTenant,
):
    class Remembers(Postbox):
        async def hand_over(self, tenant: str, letter: object) -> str:
            tried.append(letter.mail_id)  # type: ignore[attr-defined]
            return await super().hand_over(tenant, letter)  # type: ignore[arg-type]

    tried: list[str] = []
    postbox = Remembers()
    async with an_office(tenant, postbox, window_minutes=3) as office:
        desk = await a_case(office)
        told = len(tried)
        desk.opens(Reason.DAMAGED)
        desk.reviews()
        desk.scenario.later(minutes=3)
        postbox._fails = 1
        await office.tick()
        desk.files()
        desk.rules(Party.SUPPLIER, PHOTO)
        desk.approves(Remedy.REFUND)
        desk.scenario.later(minutes=3)
        for _ in range(2):
            await office.tick()
        first, again, after = tried[told:]
        assert first == again != after
        steps = sorted(
            (each for each in await office.messages() if each.kind == "case_step"), key=lambda each: each.cause
        )
        said = await what_each_says_alone(office, steps)
        mails = [[words in letter.text for words in said] for letter in postbox.letters[-2:]]
        assert mails == [[True, True, False], [False, False, True]]


async def test_what_is_given_up_is_a_person_s_and_keeps_no_later_step_waiting(tenant: EmptyTenant):
    postbox = Postbox(fails=1, why=NotTaken("smtp_550", lasting=True))
    async with an_office(tenant, postbox) as office:
        scenario = confirmed(**office.customer())
        office.use(scenario)
        await office.tick()
        scenario.send()
        scenario.ship()
        await office.tick()
        assert postbox.kinds_sent_to("customer") == ["dispatched"]


async def test_an_instruction_that_waits_for_a_hold_keeps_no_other_message_of_its_part_waiting(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox) as office:
        scenario = sent(**office.customer())
        scenario.hold(HoldReason.FRAUD_REVIEW)
        scenario.cancel()
        office.use(scenario)
        await office.tick()
        assert postbox.kinds_sent_to("supplier") == ["cancel_request"]


async def test_what_is_no_longer_true_after_its_window_is_not_said(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox, window_minutes=3) as office:
        scenario = shipped(**office.customer())
        office.use(scenario)
        await office.tick()
        scenario.scan(ParcelStatus.CUSTOMS_HELD)
        await office.tick()
        scenario.later(minutes=1)
        scenario.scan(ParcelStatus.IN_TRANSIT)
        scenario.later(minutes=3)
        await office.tick()
        cancelled = {each.kind: each.because for each in await office.messages(MessageState.CANCELLED)}
        assert cancelled.items() >= {(MessageKind.DELAYED, "superseded"), (MessageKind.PARCEL_ALERT, "superseded")}
        assert office.facts()["message.sent"] == 2  # confirmed and dispatched


async def test_a_policy_without_a_window_lets_nothing_wait(tenant: EmptyTenant):
    postbox = Postbox()
    async with an_office(tenant, postbox, window_minutes=3) as office:
        scenario = sent(**office.customer())
        scenario.agree(message_window_minutes=0)
        scenario.ship()
        office.use(scenario)
        await office.tick()
        assert [each.state for each in await office.messages() if each.kind == "dispatched"] == [MessageState.SENT]


async def test_another_process_that_takes_over_knows_what_waits_to_be_tried_again(tenant: EmptyTenant):
    postbox = Postbox(fails=1)
    async with an_office(tenant, postbox) as office, an_office(tenant, postbox) as other:
        scenario = confirmed(**office.customer())
        office.use(scenario)
        await office.catch_up()
        assert await office.outbox.tick(office.tenant, scenario.now) == 1
        assert office.facts() == {"message.asked": 1, "message.failed": 1}
        # The read model has not followed, and still has the message as one that nobody asked for.
        other.use(scenario)
        other._written = office._written
        await other.outbox.tick(other.tenant, scenario.now + timedelta(seconds=1))
        assert (postbox.calls, office.facts()) == (1, {"message.asked": 1, "message.failed": 1})
