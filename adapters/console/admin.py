"""``fulfilment status``, ``rebuild`` and ``tenant``: running the service."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click

from adapters.console import words
from adapters.console.client import Unreachable
from adapters.console.session import Nouns, Session, Words
from adapters.console.words import at, minute, span
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
