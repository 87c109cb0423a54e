"""The queue of work over a real socket and at a terminal: found, taken on, finished."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import psycopg
import pytest

from fulfilment.v1 import admin_pb2, finding_pb2, orders_pb2, work_pb2
from tests.support.projecting import until
from tests.support.service import Client, Service, context, fields_of, patiently, reason_of, refused, stamp
from tests.support.terminal import Console


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve()
        yield client


def hold(client: Client, number: str, **more: Any) -> str:
    """An order on hold; the id of the work that it makes."""
    client.place(number, sku="untracked", **more)
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


def test_work_is_claimed_given_back_and_finished(client: Client):
    task_id = hold(client, "walk")
    assert client.work.ClaimWork(claim(task_id)).version == 1
    assert client.work.ClaimWork(claim(task_id)).version == 1
    (mine,) = listed(client, "shop/walk", claimed_by="mia")
    assert (mine.task_id, mine.claimed_by, mine.owner) == (task_id, "mia", work_pb2.WORK_OWNER_OPERATIONS)
    assert reason_of(refused(client.work.ClaimWork, claim(task_id, "tom"))) == "WORK_IS_CLAIMED"
    release = work_pb2.ReleaseWorkRequest(context=context(actor="tom"), task_id=task_id)
    assert reason_of(refused(client.work.ReleaseWork, release)) == "WORK_IS_CLAIMED"
    client.work.ReleaseWork(
        work_pb2.ReleaseWorkRequest(context=context(actor="tom"), task_id=task_id, claimed_by="mia")
    )
    finish = work_pb2.FinishWorkRequest(context=context(actor="tom"), task_id=task_id, outcome="looked at")
    client.work.FinishWork(finish)
    assert listed(client, "shop/walk") == []
    other = work_pb2.FinishWorkRequest(context=context(actor="tom"), task_id=task_id, outcome="again")
    assert reason_of(refused(client.work.FinishWork, other)) == "WORK_IS_FINISHED"


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
        assert reason_of(refused(call, kind(context=context(), task_id=task_id, **more))) == "UNKNOWN_WORK"


def test_work_is_claimed_by_somebody_and_finished_with_an_outcome(client: Client):
    task_id = hold(client, "somebody")
    assert fields_of(refused(client.work.ClaimWork, claim(task_id, ""))) == ["context.actor"]
    finish = work_pb2.FinishWorkRequest(context=context(), task_id=task_id)
    assert fields_of(refused(client.work.FinishWork, finish)) == ["outcome"]
    assert fields_of(refused(client.work.ListWork, work_pb2.ListWorkRequest(owner=99))) == ["owner"]  # type: ignore[arg-type]


def test_work_is_assigned_to_a_person_and_to_a_team_and_to_nobody(client: Client):
    task_id = hold(client, "assigned")
    assign = work_pb2.AssignWorkRequest(context=context(actor="boss"), task_id=task_id, person="tom", team="night")
    assert client.work.AssignWork(assign).version == 1
    assign.context.CopyFrom(context(actor="boss"))
    assert client.work.AssignWork(assign).version == 1, "it is so already"
    (toms,) = listed(client, "shop/assigned", claimed_by="tom", team="night")
    assert (toms.claimed_by, toms.team) == ("tom", "night")
    assert reason_of(refused(client.work.ClaimWork, claim(task_id))) == "WORK_IS_CLAIMED"
    unassign = work_pb2.UnassignWorkRequest(context=context(actor="boss"), task_id=task_id)
    assert client.work.UnassignWork(unassign).version == 2
    (free,) = listed(client, "shop/assigned", unclaimed=True)
    assert (free.claimed_by, free.team, free.HasField("claimed_at")) == ("", "", False)
    nobody = work_pb2.AssignWorkRequest(context=context(), task_id=task_id)
    assert fields_of(refused(client.work.AssignWork, nobody)) == ["person"]


def test_work_that_is_put_off_is_out_of_the_queue_until_then(client: Client):
    task_id, now = hold(client, "put-off"), datetime.now(UTC)
    put = work_pb2.PutOffWorkRequest(context=context(), task_id=task_id, until=stamp(now + timedelta(seconds=3)))
    client.work.PutOffWork(put)
    assert listed(client, "shop/put-off") == []
    (waits,) = listed(client, "shop/put-off", put_off=True)
    assert waits.put_off_until == put.until
    until(lambda: listed(client, "shop/put-off"))
    assert listed(client, "shop/put-off", put_off=True) == []
    far = work_pb2.PutOffWorkRequest(context=context(), task_id=task_id, until=stamp(now + timedelta(days=31)))
    error = refused(client.work.PutOffWork, far)
    assert reason_of(error) == "PUT_OFF_OUT_OF_BOUNDS"


def test_a_comment_is_read_by_those_who_ask_and_gone_with_the_customer(client: Client, service: Service):
    customer = orders_pb2.Customer(name="Cora Commented", email="cora@example.org")
    task_id = hold(client, "cora", customer=customer)
    secret = "Cora rings twice"
    comment = work_pb2.CommentOnWorkRequest(context=context(actor="mia"), task_id=task_id, comment=secret)
    receipt = client.work.CommentOnWork(comment)
    (commented,) = listed(client, "shop/cora")
    assert commented.comments == 1
    read = work_pb2.GetWorkRequest(task_id=task_id, at_least=receipt.position)
    (hidden,) = patiently(client.work.GetWork, read).comments
    assert (hidden.by, hidden.comment) == ("mia", "")
    read.with_personal_data = True
    assert [each.comment for each in client.work.GetWork(read).comments] == [secret]
    timeline = finding_pb2.GetTimelineRequest(order_id="shop/cora", with_personal_data=True)
    assert f"Of the work mia said something: {secret}" in [
        each.text for each in patiently(client.finding.GetTimeline, timeline).entries
    ]
    with psycopg.connect(service.dsn) as connection:
        for table in ("ledger_events", "ledger_commands", "work_tasks", "work_items"):
            rows = connection.execute(f"SELECT t::text FROM tenant_default.{table} AS t").fetchall()
            assert secret not in str(rows), table
            assert secret.encode().hex() not in str(rows), table
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(email="cora@example.org", even_if_open=True))
    (erased,) = client.work.GetWork(read).comments
    assert (erased.by, erased.comment) == ("mia", "")


def test_work_about_no_order_is_commented_on_as_well(client: Client):
    client.feed(1, "commented")
    client.place("out", sku="commented")
    (level,) = [each for each in listed(client, supplier_id="acme") if each.sku == "commented"][:1]
    comment = work_pb2.CommentOnWorkRequest(context=context(), task_id=level.task_id, comment="acme is closed")
    receipt = client.work.CommentOnWork(comment)
    read = work_pb2.GetWorkRequest(task_id=level.task_id, with_personal_data=True, at_least=receipt.position)
    found = patiently(client.work.GetWork, read)
    assert ([each.comment for each in found.comments], found.work.sku) == (["acme is closed"], "commented")
    empty = work_pb2.CommentOnWorkRequest(context=context(), task_id=level.task_id, comment=" ")
    assert fields_of(refused(client.work.CommentOnWork, empty)) == ["comment"]


def test_what_was_done_about_work_stays_readable_when_its_reason_is_gone(client: Client, service: Service):
    task_id = hold(client, "kept")
    client.work.FinishWork(work_pb2.FinishWorkRequest(context=context(actor="mia"), task_id=task_id, outcome="seen"))
    receipt = client.orders.ReleaseHold(
        orders_pb2.ReleaseHoldRequest(
            context=context(), order_id="shop/kept", reason=orders_pb2.HOLD_REASON_FRAUD_REVIEW
        )
    )
    request = work_pb2.GetWorkRequest(task_id=task_id, at_least=receipt.position)
    found = patiently(client.work.GetWork, request)
    assert (found.HasField("work"), found.finished.by, found.finished.outcome) == (False, "mia", "")
    request.with_personal_data = True
    assert client.work.GetWork(request).finished.outcome == "seen"
    shown = Console(service.address)("work", "show", task_id, "--personal").out
    assert "its reason is gone" in shown
    assert "by mia: seen" in shown


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
    ff = Console(service.address)
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
    ff = Console(service.address)
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
    ff = Console(service.address)
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
    assert fields_of(refused(client.work.CountWork, wrong)) == ["matching.kinds[0]"]
    assert "there is no order shop/nobody" in ff("work", "next", "--order", "shop/nobody").err


def test_work_is_assigned_put_off_and_commented_on_at_the_terminal(client: Client, service: Service):
    task_id = hold(client, "lead")
    ff = Console(service.address)
    assert (
        ff("--actor", "boss", "work", "assign", task_id, "tom", "--team", "night").out
        == f"{task_id} is for tom of night.\n"
    )
    assert task_id in ff("work", "list", "--assignee", "tom", "--team", "night").out
    assert ff("--actor", "boss", "work", "unassign", task_id).out == f"{task_id} is for anybody.\n"
    assert ff("work", "comment", task_id, "called twice").code == 0
    assert "; a comment, see work show" in ff("work", "next", "--order", "shop/lead").out
    assert "called twice" not in ff("work", "show", task_id).out
    assert "console: called twice" in ff("work", "show", "hold-shop/lead", "--personal").out
    assert f"{task_id} is put off until " in ff("work", "put-off", task_id, "--for", "2").out
    assert ff("work", "list", "--order", "shop/lead").out == "Nothing to do.\n"
    assert "; put off until 2" in ff("work", "next", "--order", "shop/lead", "--put-off").out
    assert ff("work", "put-off", "hold-shop/lead").out == f"{task_id} is back in the queue.\n"
    assert task_id in ff("work", "list", "--order", "shop/lead").out
    assert ff("work", "put-off", task_id, "--for", "2", "--until", "2027-01-01").code == 2


def test_many_pieces_of_work_are_finished_at_once_by_their_ids(client: Client, service: Service):
    mine, toms, gone = hold(client, "many-1"), hold(client, "many-2"), "hold-shop/nothing"
    client.work.ClaimWork(claim(toms, "tom"))
    ff = Console(service.address)
    done = ff("work", "finish", mine, toms, gone, "--outcome", "seen")
    assert (done.code, done.out.splitlines()[0]) == (1, "1 finished: seen. 2 not.")
    assert f"{toms}: tom has {toms} [WORK_IS_CLAIMED]" in done.out
    assert "[UNKNOWN_WORK]" in done.out
    again = ff("work", "finish", mine, toms, "--outcome", "seen", "--json").json
    assert [(each["task_id"], "receipt" in each) for each in again] == [(mine, True), (toms, False)]
    assert [each.task_id for each in listed(client, "shop/many-2")] == [toms]


def test_many_pieces_of_work_are_finished_at_once_by_what_they_are(client: Client, service: Service):
    for number in range(5):
        hold(client, f"bulk-{number}")
        assign = work_pb2.AssignWorkRequest(context=context(), team="bulk")
        (found,) = listed(client, f"shop/bulk-{number}")
        assign.task_id = found.task_id
        client.work.AssignWork(assign)
    ff = Console(service.address)
    which = ("work", "finish-all", "--team", "bulk", "--kind", "hold")
    left = ff(*which, "--outcome", "all well")
    assert (left.code, left.out.splitlines()[0]) == (1, "0 finished: all well. 0 not.")
    assert "5 left, because what they are about still stands:\n  hold shop/bulk-" in left.out
    assert "order release shop/bulk-0 fraud_review --owner risk" in left.out
    assert len(ff(*which, "--json").json) == 5
    assert len(listed(client, team="bulk")) == 5
    whole = (*which, "--even-if-standing")
    dry = ff(*whole, "--dry-run").out.splitlines()
    assert (len(dry), dry[-1]) == (7, "5 would be finished.")
    assert len(ff(*whole, "--dry-run", "--json").json) == 5
    assert ff(*whole, "--outcome", "all well").out == "5 finished: all well. 0 not.\n"
    assert ff(*which).out == "0 finished: done. 0 not.\n"
    assert "say which work" in ff("work", "finish-all").err


def test_what_is_finished_and_still_stands_is_named_with_what_ends_it(client: Client, service: Service):
    task_id = hold(client, "standing")
    said = Console(service.address)("work", "finish", task_id).out.splitlines()
    assert said[0] == f"{task_id} is finished: done."
    assert said[1].startswith("It still stands: fulfilment ")
    assert "order release shop/standing fraud_review" in said[1]


def test_the_beginning_of_a_task_is_enough_at_the_terminal_where_it_says_which(client: Client, service: Service):
    first, _ = hold(client, "begins-a"), hold(client, "begins-b")
    ff = Console(service.address)
    several = ff("work", "claim", "hold-shop/begins")
    assert (several.code, "2 tasks begin with 'hold-shop/begins'; say more of it" in several.err) == (2, True)
    assert ff("work", "claim", "hold-shop/begins-a", "--request-id", "begin-1").out == f"console has {first}.\n"
    again = ff("work", "claim", "hold-shop/begins-a", "--request-id", "begin-1", "--json").json
    assert (again["task_id"], again["receipt"]["outcome"]) == (first, "OUTCOME_REPLAYED")
    assert "[UNKNOWN_WORK]" in ff("work", "claim", "hold-shop/nothing").err
