"""``fulfilment shipping``: what goods are sent with, and through which customs."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.terminal import words
from adapters.console.terminal.commands import Nouns
from adapters.console.terminal.listings import ask
from adapters.console.terminal.past import AS_OF
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import money, word
from fulfilment.v1 import admin_pb2, common_pb2, shipping_pb2


@click.group(cls=Nouns)
def shipping() -> None:
    """What goods are sent with."""


@shipping.command()
@click.option("--at", type=words.INSTANT, help="As agreed for then; now if not said.")
@AS_OF
@click.pass_obj
def services(session: Session, at: Any, as_of: common_pb2.AsOf | None) -> None:
    """List the shipping services that orders may take."""
    request = admin_pb2.ListShippingServicesRequest(at=at, as_of=as_of)
    found = [
        each
        for page in session.client.pages(session.client.admin.ListShippingServices, request)
        for each in page.services
    ]
    if session.json:
        session.out.json([words.as_json(each) for each in found])
        return
    rows = [
        [
            each.code,
            ", ".join(each.carriers),
            "abroad" if each.international else "within a country",
            f"{each.days_from}-{each.days_to}",
            money(each.cost.amount_minor, each.cost.currency),
            money(each.cost_per_kg_minor, each.cost.currency) if each.cost_per_kg_minor else "",
            f"{each.most_weight_grams / 1000:g} kg" if each.most_weight_grams else "",
            ", ".join(money(most.amount_minor, most.currency) for most in each.most_value),
            "yes" if each.tracked else "no",
            ", ".join(each.origins),
            ", ".join(each.destinations),
            ", ".join(word(shipping_pb2.Incoterm, terms).upper() for terms in each.incoterms),
            f"{each.held_basis_points / 100:g} %" if each.held_basis_points else "",
        ]
        for each in found
    ]
    headings = ["service", "carriers", "goes", ">days", ">cost", ">per kg", ">up to", "worth up to", "tracked"]
    session.out.table([*headings, "from", "to", "duty", ">held"], rows)


@shipping.command()
@click.option("--agree", is_flag=True, help="Agree the shares for the services, as a policy from now on.")
@click.pass_obj
def clearing(session: Session, agree: bool) -> None:
    """Show which share of the parcels of each service customs held."""
    request = shipping_pb2.GetServiceClearingRequest()
    found = ask(session, session.client.reports.GetServiceClearing, request)
    if agree:
        _agree(session, {each.service: each.held_basis_points for each in found.services if _is_known(each)})
    if session.json:
        session.out.json(words.as_json(found))
        return
    rows = [
        [each.service, each.parcels, each.held, f"{each.held_basis_points / 100:g} %" if _is_known(each) else "too few"]
        for each in found.services
    ]
    session.out.table(["service", ">parcels", ">held", ">share"], rows, empty="No parcel has crossed a border yet.")


def _is_known(each: shipping_pb2.ServiceClearing) -> bool:
    return each.HasField("held_basis_points")


def _agree(session: Session, shares: dict[str, int]) -> None:
    """The policy in force with these shares; of a service that is not named nothing changes."""
    found = session.client.call(session.client.admin.GetPolicy, admin_pb2.GetPolicyRequest())
    policy = found.in_force.policy
    for service in policy.shipping_services:
        service.held_basis_points = shares.get(service.code, service.held_basis_points)
    request = admin_pb2.AgreePolicyRequest(
        context=session.client.context(None), policy=policy, seen_versions=found.versions
    )
    session.client.call(session.client.admin.AgreePolicy, request)


@shipping.command()
@click.argument("country")
@click.option("--region", help="State or province.")
@click.option("--postal-code", help="The postal code, or its beginning.")
@click.pass_obj
def territory(session: Session, country: str, region: str | None, postal_code: str | None) -> None:
    """Say which customs territory an address is in."""
    request = shipping_pb2.FindCustomsTerritoryRequest(
        country=country.upper(), region=region or "", postal_code=postal_code or ""
    )
    found = session.client.call(session.client.admin.FindCustomsTerritory, request).territory
    if session.json:
        session.out.json(words.as_json(found))
        return
    session.out.title(f"Customs territory {found.code}", found.part)
    session.out.facts([("by", found.source or "a country that is a territory by itself")])
