"""The queue of work over a real socket and at a terminal: found, taken on, finished."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from fulfilment.v1 import admin_pb2, orders_pb2, work_pb2
from tests.support.service import (
    Client,
    Service,
    context,
    fields_of,
    patiently,
    reason_of,
)
from tests.support.terminal import Terminal


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve()
        yield client


def hold(client: Client, number: str) -> str:
    """An order on hold; the id of the work that it makes."""
    client.place(number, sku="untracked")
    reason = orders_pb2.HOLD_REASON_FRAUD_REVIEW
    request = orders_pb2.PlaceHoldRequest(context=context(), order_id=f"shop/{number}", reason=reason, owner="risk")
    client.orders.PlaceHold(request)
    (found,) = listed(client, f"shop/{number}")
    return str(found.task_id)


def listed(client: Client, order_id: str = "", **more: Any) -> list[work_pb2.Work]:
    head = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    request = work_pb2.ListWorkRequest(order_id=order_id, at_least=head, **more)
    return list(patiently(client.work.ListWork, request).work)


def claim(task_id: str, actor: str = "mia") -> work_pb2.ClaimWorkRequest:
    return work_pb2.ClaimWorkRequest(context=context(actor=actor), task_id=task_id)


def refusal(call: Callable[[Any], Any], request: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    error: grpc.RpcError = caught.value
    return error


def test_work_is_claimed_given_back_and_finished(client: Client):
    task_id = hold(client, "walk")
    assert client.work.ClaimWork(claim(task_id)).version == 1
    assert client.work.ClaimWork(claim(task_id)).version == 1
    (mine,) = listed(client, "shop/walk", claimed_by="mia")
    assert (mine.task_id, mine.claimed_by, mine.owner) == (task_id, "mia", work_pb2.WORK_OWNER_OPERATIONS)
    assert reason_of(refusal(client.work.ClaimWork, claim(task_id, "tom"))) == "WORK_IS_CLAIMED"
    release = work_pb2.ReleaseWorkRequest(context=context(actor="tom"), task_id=task_id)
    assert reason_of(refusal(client.work.ReleaseWork, release)) == "WORK_IS_CLAIMED"
    client.work.ReleaseWork(
        work_pb2.ReleaseWorkRequest(context=context(actor="tom"), task_id=task_id, claimed_by="mia")
    )
    finish = work_pb2.FinishWorkRequest(context=context(actor="tom"), task_id=task_id, outcome="looked at")
    client.work.FinishWork(finish)
    assert listed(client, "shop/walk") == []
    other = work_pb2.FinishWorkRequest(context=context(actor="tom"), task_id=task_id, outcome="again")
    assert reason_of(refusal(client.work.FinishWork, other)) == "WORK_IS_FINISHED"


def test_work_whose_reason_is_gone_is_unknown(client: Client):
    task_id = hold(client, "gone")
    client.orders.ReleaseHold(
        orders_pb2.ReleaseHoldRequest(
            context=context(), order_id="shop/gone", reason=orders_pb2.HOLD_REASON_FRAUD_REVIEW
        )
    )
    assert [each.kind for each in listed(client, "shop/gone")] == [work_pb2.WORK_KIND_DRAFT]
    for call, kind in (
        (client.work.ClaimWork, work_pb2.ClaimWorkRequest),
        (client.work.ReleaseWork, work_pb2.ReleaseWorkRequest),
        (client.work.FinishWork, work_pb2.FinishWorkRequest),
    ):
        more: dict[str, Any] = {"outcome": "done"} if kind is work_pb2.FinishWorkRequest else {}
        assert reason_of(refusal(call, kind(context=context(), task_id=task_id, **more))) == "UNKNOWN_WORK"


def test_work_is_claimed_by_somebody_and_finished_with_an_outcome(client: Client):
    task_id = hold(client, "somebody")
    assert fields_of(refusal(client.work.ClaimWork, claim(task_id, ""))) == ["context.actor"]
    finish = work_pb2.FinishWorkRequest(context=context(), task_id=task_id)
    assert fields_of(refusal(client.work.FinishWork, finish)) == ["outcome"]
    assert fields_of(refusal(client.work.ListWork, work_pb2.ListWorkRequest(owner=99))) == ["owner"]  # type: ignore[arg-type]


def test_of_many_who_claim_at_once_one_has_it(client: Client):
    task_id = hold(client, "race")

    def take(n: int) -> str:
        try:
            client.work.ClaimWork(claim(task_id, f"person-{n}"))
        except grpc.RpcError as error:
            return reason_of(error)
        return "claimed"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(take, range(16)))
    assert sorted(outcomes) == ["WORK_IS_CLAIMED"] * 15 + ["claimed"]


def test_the_queue_is_worked_at_the_terminal(client: Client, service: Service):
    task_id = hold(client, "desk")
    ff = Terminal(service.address)
    shown = ff("work", "list", "--owner", "operations", "--due-within", "1", "--order", "shop/desk")
    assert shown.code == 0
    assert task_id in shown.out
    assert "fraud review" in shown.out
    assert ff("--actor", "mia", "work", "claim", task_id).out == f"mia has {task_id}.\n"
    assert [each["task_id"] for each in ff("--actor", "mia", "work", "list", "--mine", "--json").json] == [task_id]
    assert task_id not in ff("work", "list", "--unclaimed").out
    assert "[WORK_IS_CLAIMED]" in ff("--actor", "tom", "work", "finish", task_id).err
    assert ff("--actor", "tom", "work", "release", task_id, "--claimed-by", "mia").code == 0
    assert ff("--actor", "tom", "work", "finish", task_id, "--outcome", "all well").code == 0
    assert ff("work", "list", "--order", "shop/desk").out == "Nothing to do.\n"


def test_each_piece_of_work_says_how_it_is_done(client: Client, service: Service):
    hold(client, "how")
    (found,) = listed(client, "shop/how")
    request = orders_pb2.ReleaseHoldRequest()
    assert (found.next.rpc, found.next.request.Unpack(request)) == ("OrderService.ReleaseHold", True)
    assert (request.order_id, request.owner) == ("shop/how", "risk")
    ff = Terminal(service.address)
    shown = ff("work", "next", "--order", "shop/how").out.splitlines()
    assert shown[0] == "hold shop/how  fraud review  (for operations)"
    assert re.fullmatch(r"  due \d{4}-\d\d-\d\d \d\d:\d\dZ, \d+ s overdue", shown[1])
    assert shown[2:] == ["  fulfilment order release shop/how fraud_review --owner risk", f"  {found.task_id}"]
    assert ff(*shown[2].split()[1:]).code == 0
    (draft,) = ff("work", "next", "--order", "shop/how", "--json").json
    assert draft["command"] == "fulfilment order send shop/how/1"


def test_the_queue_shows_what_is_next_and_counts_the_rest(client: Client, service: Service):
    for number in range(12):
        hold(client, f"next-{number}")
    ff = Terminal(service.address)
    shown = ff("work").out
    assert shown.count("  due ") == 10
    assert "... and more; work count says how many" in shown
    counted = {each["kind"]: each for each in ff("work", "count", "--json").json}
    assert int(counted["WORK_KIND_HOLD"]["pieces"]) >= 12
    assert re.search(r"^hold +operations +\d+ +\d+", ff("work", "count", "--kind", "hold").out, re.MULTILINE)
    request = work_pb2.CountWorkRequest(matching=work_pb2.ListWorkRequest(order_id="shop/next-3"))
    (count,) = patiently(client.work.CountWork, request).counts
    assert (count.kind, count.pieces, count.unclaimed) == (work_pb2.WORK_KIND_HOLD, 1, 1)
    wrong = work_pb2.CountWorkRequest(matching=work_pb2.ListWorkRequest(kinds=[99]))  # type: ignore[list-item]
    assert fields_of(refusal(client.work.CountWork, wrong)) == ["matching.kinds[0]"]
    assert ff("work", "next", "--order", "shop/nobody").out == "Nothing to do.\n"


def test_the_beginning_of_a_task_is_enough_at_the_terminal_where_it_says_which(client: Client, service: Service):
    first, _ = hold(client, "begins-a"), hold(client, "begins-b")
    ff = Terminal(service.address)
    several = ff("work", "claim", "hold-shop/begins")
    assert (several.code, "2 tasks begin with 'hold-shop/begins'; say more of it" in several.err) == (2, True)
    assert ff("work", "claim", "hold-shop/begins-a", "--request-id", "begin-1").out == f"console has {first}.\n"
    again = ff("work", "claim", "hold-shop/begins-a", "--request-id", "begin-1", "--json").json
    assert (again["task_id"], again["receipt"]["outcome"]) == (first, "OUTCOME_REPLAYED")
    assert "[UNKNOWN_WORK]" in ff("work", "claim", "hold-shop/nothing").err
