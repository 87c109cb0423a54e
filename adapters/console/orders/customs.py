"""``fulfilment order customs``: what customs asks of an order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from adapters.console.orders.standing import line_numbers
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.past import AS_OF, asked
from adapters.console.terminal.sentences import paths
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import money, word
from fulfilment.v1 import common_pb2, shipping_pb2


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
