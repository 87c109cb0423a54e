"""``fulfilment supplier refuses`` and ``serves``: where a supplier ships to."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.suppliers.page import record
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import suppliers_pb2


@click.command(cls=Words)
@click.argument("supplier_id")
@click.argument("country")
@click.option("--region", help="Only this state or province, as orders write it.")
@click.option("--sku", metavar="SKU", help="Only this SKU.")
@click.option("--reason", metavar="TEXT", help="Why.")
@recording()
def refuses(session: Session, /, supplier_id: str, country: str, at: Any, request_id: str | None, **said: Any) -> None:
    """Record that a supplier does not ship to a destination; its answers record that by themselves."""
    request = suppliers_pb2.RefuseDestinationRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        destination=_place(country, said),
        reason=said["reason"],
        at=at,
    )
    record(session, supplier_id, session.client.suppliers.RefuseDestination, request)


@click.command(cls=Words)
@click.argument("supplier_id")
@click.argument("country")
@click.option("--region", help="Only this state or province.")
@click.option("--sku", metavar="SKU", help="Only this SKU.")
@recording()
def serves(session: Session, /, supplier_id: str, country: str, at: Any, request_id: str | None, **said: Any) -> None:
    """Record that a supplier ships to a destination after all."""
    request = suppliers_pb2.ServeDestinationRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        destination=_place(country, said),
        at=at,
    )
    record(session, supplier_id, session.client.suppliers.ServeDestination, request)


def _place(country: str, options: dict[str, Any]) -> suppliers_pb2.RefusedDestination:
    return suppliers_pb2.RefusedDestination(country=country.upper(), region=options["region"], sku=options["sku"])
