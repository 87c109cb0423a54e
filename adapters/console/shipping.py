"""``fulfilment shipping``, ``order customs``, ``order invoice``: how goods are sent, and data for customs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from adapters.console import words
from adapters.console.commands import Nouns, Words, recording
from adapters.console.listings import ask
from adapters.console.past import AS_OF, asked, past
from adapters.console.sentences import paths
from adapters.console.session import Session
from adapters.console.show import line_numbers, show_drawn
from adapters.console.words import money, word
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


# --- customs --------------------------------------------------------------------------------------


def _by_line(name: str, metavar: str, what: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}", multiple=True, metavar=f"LINE:{metavar}", help=f"{what}; once for each line.")


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--incoterm", type=words.choice(shipping_pb2.Incoterm), help="Who pays the duty.")
@_by_line("title", "TEXT", "What the goods are")
@_by_line("hs-code", "CODE", "Harmonized System code")
@_by_line("origin", "COUNTRY", "Country of origin, such as CN")
@_by_line("weight", "GRAMS", "Net weight of one unit")
@_by_line("value", "AMOUNT", "What one unit is declared for, where that is not its price")
@click.option("--total", metavar="AMOUNT", help="What all is declared for, to be checked against the lines.")
@AS_OF
@recording("When it became known")
def customs(
    session: Session,
    order_id: str,
    as_of: common_pb2.AsOf | None,
    at: Any,
    request_id: str | None,
    **options: Any,
) -> None:
    """Show what customs asks of an order; with options, add what is missing."""
    receipt, given = None, next((name for name, value in options.items() if value), "")
    as_of = asked(as_of, None, given, f"--{given.replace('_', '-')}")
    if given:
        currency = _customs(session, order_id).total.currency
        request = shipping_pb2.CompleteCustomsDataRequest(
            context=session.client.context(request_id),
            order_id=order_id,
            lines=_customs_lines(options, currency),
            incoterm=words.number(shipping_pb2.Incoterm, options["incoterm"]),
            declared_total=_declared(options["total"], currency),
            at=at,
        )
        receipt = session.client.call(session.client.orders.CompleteCustomsData, request)
    found = _customs(session, order_id, receipt.position if receipt else 0, as_of)
    if session.json:
        shown = (
            {"receipt": words.as_json(receipt), "customs": words.as_json(found)} if receipt else words.as_json(found)
        )
        session.out.json(shown)
        return
    terms = word(shipping_pb2.Incoterm, found.incoterm).upper() if found.incoterm else "not said"
    numbers = line_numbers(session, order_id, (path for each in found.states for path in each.missing))
    session.out.title(f"Customs of {order_id}", f"worth {money(found.total.amount_minor, found.total.currency)}")
    session.out.facts([("duty", terms)])
    session.out.blank()
    rows = [
        [
            each.supplier_order_id or "(not given out)",
            each.supplier_id,
            f"{_place(each.from_country, each.from_territory)} to {_place(each.to_country, each.to_territory)}",
            word(shipping_pb2.Border, each.border),
            "; ".join(paths(path, line_numbers=numbers) for path in each.missing)
            or ("nothing" if each.border == shipping_pb2.BORDER_CROSSED else ""),
        ]
        for each in found.states
    ]
    session.out.table(
        ["supplier order", "supplier", "route", "border", "missing"], rows, empty="Nothing is to be sent."
    )


def _place(country: str, territory: str) -> str:
    """The country, and beside it the customs territory that not all of the country is in, such as ``ES (ES-CN)``."""
    return country or "?" if territory in ("", "EU", country) else f"{country} ({territory})"


def _customs(
    session: Session, order_id: str, at_least: int = 0, as_of: common_pb2.AsOf | None = None
) -> shipping_pb2.GetCustomsResponse:
    request = shipping_pb2.GetCustomsRequest(order_id=order_id, at_least=at_least, as_of=as_of)
    return session.client.call(session.client.orders.GetCustoms, request)


def _declared(total: str | None, currency: str) -> common_pb2.Money | None:
    return common_pb2.Money(amount_minor=words.amount_minor(total, currency), currency=currency) if total else None


def _customs_lines(options: dict[str, Any], currency: str) -> list[shipping_pb2.CustomsLine]:
    """One message a line, from options that each name a line."""
    fields: dict[int, dict[str, Any]] = {}
    for option, name, read in (
        ("title", "title", str),
        ("hs_code", "hs_code", str),
        ("origin", "origin", str.upper),
        ("weight", "weight_grams", int),
        ("value", "declared_value_minor", lambda text: words.amount_minor(text, currency)),
    ):
        for line_no, value in words.line_values(options[option], f"--{option.replace('_', '-')}", "1:CN"):
            fields.setdefault(line_no, {})[name] = read(value)
    return [shipping_pb2.CustomsLine(line_no=line_no, **values) for line_no, values in sorted(fields.items())]


# --- the invoice ----------------------------------------------------------------------------------


@click.command(cls=Words)
@click.argument("supplier_order_id")
@click.option("--parcel", nargs=2, metavar="CARRIER NUMBER", help="Only what is in this parcel.")
@click.option("--pdf", metavar="FILE", help="Write it there as PDF.")
@past
@click.pass_obj
def invoice(
    session: Session,
    supplier_order_id: str,
    parcel: tuple[str, str] | None,
    pdf: str | None,
    as_of: common_pb2.AsOf | None,
    at: Any,
) -> None:
    """Show the commercial invoice of a supplier order; it names the buyer, but not as of a moment."""
    carrier, number = parcel or ("", "")
    request = shipping_pb2.GetCommercialInvoiceRequest(
        supplier_order_id=supplier_order_id,
        carrier=carrier,
        tracking_number=number,
        with_pdf=pdf is not None,
        as_of=asked(as_of, at, pdf, "--pdf"),
    )
    answer = session.client.call(session.client.orders.GetCommercialInvoice, request)
    show_drawn(session, answer, pdf, _print)


def _print(session: Session, found: shipping_pb2.CommercialInvoice) -> None:
    currency = found.total.currency
    session.out.title(f"Invoice {found.number}", money(found.total.amount_minor, currency))
    session.out.facts(
        [
            ("date", f"{found.issued_at.ToDatetime():%Y-%m-%d}"),
            ("seller", words.party(found.seller)),
            ("shipper", words.party(found.shipper)),
            ("buyer", words.party(found.buyer)),
            ("duty", word(shipping_pb2.Incoterm, found.incoterm).upper()),
            ("net weight", f"{found.weight_grams / 1000:,.3f} kg"),
            ("parcels", ", ".join(found.parcels)),
        ]
    )
    session.out.blank()
    rows = [
        [
            each.line_no,
            each.title,
            each.hs_code,
            each.origin,
            each.units,
            f"{each.weight_grams:,}",
            money(each.unit_value_minor, currency),
            money(each.value_minor, currency),
        ]
        for each in found.lines
    ]
    session.out.table([">line", "goods", "hs code", "origin", ">units", ">grams", ">one", ">all"], rows)
