"""``fulfilment order link``: the link of an order's tracking page."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.terminal import past, words
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.past import AS_OF
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from fulfilment.v1 import common_pb2
from fulfilment.v1 import tracking_links_pb2 as pb


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--withdraw", "change", flag_value="withdraw", help="The link opens nothing any more.")
@click.option("--renew", "change", flag_value="renew", help="A new link; those of before open nothing any more.")
@AS_OF
@recording()
def link(
    session: Session,
    order_id: str,
    change: str | None,
    as_of: common_pb2.AsOf | None,
    at: Any,
    request_id: str | None,
) -> None:
    """Show the link of an order's tracking page, withdraw it, or renew it."""
    as_of = past.asked(as_of, None, change, f"--{change}")
    stub, receipt = session.client.tracking_links, None
    asked: dict[str, Any] = {"order_id": order_id, "at": at}
    if change == "withdraw":
        request = pb.WithdrawTrackingLinkRequest(context=session.client.context(request_id), **asked)
        receipt = session.client.call(stub.WithdrawTrackingLink, request)
    elif change == "renew":
        again = pb.RenewTrackingLinkRequest(context=session.client.context(request_id), **asked)
        receipt = session.client.call(stub.RenewTrackingLink, again)
    at_least = receipt.position if receipt is not None else 0
    now = pb.GetTrackingLinkRequest(order_id=order_id, at_least=at_least, as_of=as_of)
    found = session.client.call(stub.GetTrackingLink, now)
    if session.json:
        session.out.json(words.as_json(found))
        return
    if found.withdrawn:
        session.out.say(f"The link was withdrawn by {found.changed_by} on {minute(found, 'changed_at')}.")
    elif as_of is not None:
        changed = f"; {found.changed_by} renewed it on {minute(found, 'changed_at')}" if found.changed_by else ""
        session.out.say(f"There was a link{changed}.")
    else:
        session.out.say(found.url or found.path)
        if not found.url:
            session.out.warn("Its brand names no tracking_site: this is a path alone, and mails come without it.")
