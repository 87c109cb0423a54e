"""Request ids are each client's own, and what was stored before clients had names is answered as it was."""

from __future__ import annotations

import pytest
from msgspec import structs

from ledger.engine.commands import Command, Receipt
from ledger.engine.request_ids import OWN, Former, sent_id, stored_id
from ledger.refusals import RequestReused
from tests.support.stalls import EmptyTenant, TooFewCoins, a_ledger, give, take


def of(client: str, command: Command) -> Command:
    """A command as a client with a name sends it, which may have sent it before it had one."""
    former = Former(command.request_id, command.fingerprint, command.streams)
    return structs.replace(command, request_id=stored_id(client, command.request_id), formerly=lambda: former)


def test_an_id_is_told_as_it_was_sent():
    assert [sent_id(stored_id(client, "shop/1")) for client in ("", "shop")] == ["shop/1", "shop/1"]
    assert sent_id(f"{OWN}clock:a stream with spaces") == f"{OWN}clock:a stream with spaces"


def test_no_client_can_send_the_id_of_another_or_of_nobody_or_of_the_ledger():
    sendable = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    assert not {stored_id("shop", "r")[0], OWN[0]} & set(sendable)
    assert stored_id("a", "b") != stored_id("a-b", "") != stored_id("", "a-b")


async def test_two_clients_use_the_same_id_for_different_things(tenant: EmptyTenant):
    async with a_ledger(tenant) as ledger:
        answers = await ledger.execute_many([of("shop", take("r", "pears")), of("desk", take("r", "figs"))])
        assert answers == [Receipt(1, 1, False), Receipt(2, 1, False)]
        assert await ledger.execute(of("shop", take("r", "pears"))) == Receipt(1, 1, True)
        with pytest.raises(RequestReused, match="request r was used before"):
            await ledger.execute(of("shop", take("r", "figs")))


async def test_what_was_stored_before_is_answered_again_to_who_sends_the_same(tenant: EmptyTenant):
    async with a_ledger(tenant) as ledger:
        await ledger.execute_many([take("r", "pears"), give("no", "figs")])
        again = await ledger.execute_many([of("shop", take("r", "pears")), of("shop", give("no", "figs"))])
        assert again[0] == Receipt(1, 1, True, formerly=True)
        assert isinstance(again[1], TooFewCoins)
        assert await ledger.log.head() == 1


async def test_an_id_of_before_hinders_nobody_who_sends_something_else(tenant: EmptyTenant):
    async with a_ledger(tenant) as ledger:
        await ledger.execute(take("r", "pears"))
        assert await ledger.execute(of("shop", take("r", "figs"))) == Receipt(2, 1, False)
        assert await ledger.execute(of("shop", take("r", "figs"))) == Receipt(2, 1, True)


async def test_what_another_process_took_from_a_caller_without_a_name_is_known_at_once(tenant: EmptyTenant):
    async with a_ledger(tenant) as ledger, a_ledger(tenant) as another:
        assert await ledger.execute(of("shop", take("first", "pears"))) == Receipt(1, 1, False)
        await another.execute(take("r", "pears"))
        assert await ledger.execute(of("shop", take("r", "pears"))) == Receipt(2, 2, True, formerly=True)


async def test_the_subject_of_what_was_stored_before_comes_with_it(tenant: EmptyTenant):
    """An id that the ledger made differs by client, and so does the stream of what it names."""
    async with a_ledger(tenant) as ledger:
        await ledger.execute(take("r", "pears", 3))
        mine = of("shop", take("r", "pears", 3))
        made = structs.replace(mine, streams=("stall-made-for-shop",), with_subject=True)
        receipt = await ledger.execute(made)
        assert receipt.subject is not None
        assert (receipt.subject.state.coins, receipt.subject.version) == (3, 1)
