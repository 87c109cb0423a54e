"""``fulfilment status``, ``rebuild``, ``snapshots`` and ``tenant``: running the service."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from adapters.console.terminal import words
from adapters.console.terminal.client import Unreachable
from adapters.console.terminal.commands import Nouns, Words
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import at, minute, span
from fulfilment.v1 import admin_pb2

_LOOK_AGAIN_SECONDS = 0.3
_DONE = ("rebuilt", "verified", "failed")
"""How the status of a rebuild that has ended begins."""


@click.command(cls=Words)
@click.pass_obj
def status(session: Session) -> None:
    """Show where the log and its read models stand."""
    found = session.client.call(session.client.admin.GetStatus, admin_pb2.GetStatusRequest())
    if session.json:
        session.show(found)
        return
    session.out.title(f"Log of {session.tenant_name}", f"position {found.position}, service {found.version}")
    if found.commands_waiting:
        session.out.say(f"{found.commands_waiting} commands wait to be decided.")
    if any((found.messages.waiting, found.messages.failed, found.messages.given_up)):
        backlog = found.messages
        session.out.say(
            f"Messages: {backlog.waiting} wait, {backlog.failed} failed and are tried again, "
            f"{backlog.given_up} were given up."
        )
    if found.messages.held_up:
        session.out.say(f"No messages are sent: {found.messages.held_up}.")
    session.out.blank()
    now = datetime.now(UTC)
    rows = []
    for each in found.projections:
        seen = at(each, "seen_at")
        rows.append(
            [
                each.name,
                each.position,
                each.lag,
                f"{span(now - seen)} ago" if seen else "never",
                each.error or "none",
                each.rebuild,
            ]
        )
    session.out.table(["read model", ">position", ">lag", ">worked", "error", "rebuild"], rows, empty="No read models.")


@click.command(cls=Words)
@click.argument("name")
@click.option("--verify", is_flag=True, help="Only compare with the log; the live one stays.")
@click.option("--wait", default=600.0, show_default=True, metavar="SECONDS", help="How long to wait for the result.")
@click.pass_obj
def rebuild(session: Session, name: str, verify: bool, wait: float) -> None:
    """Build a read model anew from the log, compare it with the live one, and swap them.

    Exits with 1 if they differ, for the live one did not say what the log says, and if one of them does not reach the
    head of the log.
    """
    request = admin_pb2.RebuildProjectionRequest(name=name, verify_only=verify)
    session.client.call(session.client.admin.RebuildProjection, request)
    give_up_at = time.monotonic() + wait
    while not (result := _rebuild_result(session, name)).startswith(_DONE):
        if time.monotonic() > give_up_at:
            raise Unreachable(
                f"{name} is not done after {wait:g} s ({result}); fulfilment status tells more", "WAITING"
            )
        time.sleep(_LOOK_AGAIN_SECONDS)
    if session.json:
        session.out.json({"name": name, "result": result})
    else:
        session.out.say(f"{name} {result}")
    if not result.startswith(("rebuilt", "verified")) or "DIFFERENT" in result:
        raise click.exceptions.Exit(1)


def _rebuild_result(session: Session, name: str) -> str:
    """The result of the rebuild, or its progress."""
    found = session.client.call(session.client.admin.GetStatus, admin_pb2.GetStatusRequest())
    return next((each.rebuild for each in found.projections if each.name == name), "")


@click.command(cls=Words)
@click.option("--wait", default=600.0, show_default=True, metavar="SECONDS", help="How long one stream may take.")
@click.pass_obj
def snapshots(session: Session, wait: float) -> None:
    """Compare the snapshots of long streams with their facts, and drop those that say something else.

    Exits with 1 if there was one: compare the read models as well then, with fulfilment rebuild --verify, and tell
    whoever makes the service.
    """
    request, streams, compared, different = admin_pb2.CompareSnapshotsRequest(), set[str](), 0, []
    request.page.page_size = 1000
    while True:
        answer = session.client.call(session.client.admin.CompareSnapshots, request, wait)
        streams.update(each.stream for each in answer.snapshots)
        compared += len(answer.snapshots)
        different += [each for each in answer.snapshots if not each.equal]
        request.page.page_token = answer.next_page_token
        if sys.stderr.isatty():
            end = "\r" if answer.next_page_token else "\n"
            print(f"{len(streams)} of {answer.streams} streams", end=end, file=sys.stderr, flush=True)
        if not answer.next_page_token:
            break
    _show_compared(session, answer, compared, different)
    if different:
        raise click.exceptions.Exit(1)


def _show_compared(
    session: Session,
    last: admin_pb2.CompareSnapshotsResponse,
    compared: int,
    different: Sequence[admin_pb2.SnapshotComparison],
) -> None:
    if session.json:
        names = [{"stream": each.stream, "version": each.version} for each in different]
        session.out.json({"compared": compared, "different": names, "of_other_code": last.of_other_code})
        return
    for each in different:
        session.out.say(f"{each.stream} at version {each.version} is DIFFERENT from its facts and was dropped.")
    equal = f"{compared - len(different)} of {compared} snapshots of {last.streams} streams are equal to their facts."
    session.out.say(equal)
    if last.of_other_code:
        session.out.say(f"{last.of_other_code} are of another version of the service, which nobody here looks at.")


@click.group(cls=Nouns)
def tenant() -> None:
    """Add and list tenants, each with a ledger of its own."""


@tenant.command()
@click.argument("name")
@click.pass_obj
def add(session: Session, name: str) -> None:
    """Create a tenant; one that exists stays as it is."""
    session.client.call(session.client.admin.CreateTenant, admin_pb2.CreateTenantRequest(tenant=name))
    if session.json:
        session.out.json({"tenant": name})
    else:
        session.out.say(f"Tenant {name} is ready; use it with --tenant {name}.")


@tenant.command("list")
@click.pass_obj
def list_tenants(session: Session) -> None:
    """List the tenants."""
    pages = session.client.pages(session.client.admin.ListTenants, admin_pb2.ListTenantsRequest())
    tenants = [each for page in pages for each in page.tenants]
    if session.json:
        session.out.json([words.as_json(each) for each in tenants])
    else:
        session.out.table(["tenant", "created"], [[each.tenant, minute(each, "created_at")] for each in tenants])
