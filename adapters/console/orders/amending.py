"""What ``fulfilment order amend`` asks for: the whole order as it is to be, from what it is and what is to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from adapters.console.orders.place import parsed_charge, parsed_line
from adapters.console.terminal import words
from fulfilment.v1 import order_money_pb2, orders_pb2


def amended_lines(order: orders_pb2.Order, options: Mapping[str, Any]) -> list[orders_pb2.OrderLine]:
    """The lines with the units that are wanted of them, what the options name changed, and those that they add."""
    lines = {state.line.line_no: _wanted(state) for state in order.lines}
    counted = words.line_units(options["quantities"], "--quantity")
    for line_no, units in counted.items():
        _take(_line(lines, line_no, "--quantity"), units)
    for line_no, price in words.line_values(options["prices"], "--price", "1:9.90"):
        line = _line(lines, line_no, "--price")
        minor = words.amount_minor(price.removeprefix("="), order.currency)
        line.unit_price_minor = line.unit_price_minor if price.startswith("=") else minor
        line.total_minor = minor if price.startswith("=") else minor * line.quantity
    if (replaced := options["instead_of"]) is not None:
        _line(lines, replaced, "--instead-of")
    for number, text in enumerate(options["added"], max(lines, default=0) + 1):
        added = parsed_line(text, number, order.currency, "--add")
        added.substitute_for = replaced or 0
        if replaced is not None and replaced not in counted:
            _take(lines[replaced], max(lines[replaced].quantity - added.quantity, 0))
        lines[number] = added
    return [line for line in lines.values() if line.quantity]


def _take(line: orders_pb2.OrderLine, units: int) -> None:
    """So many units of a line are wanted now, at the price of before."""
    if line.quantity:
        line.total_minor = (2 * line.total_minor * units + line.quantity) // (2 * line.quantity)
    line.quantity = units


def _wanted(state: orders_pb2.OrderLineState) -> orders_pb2.OrderLine:
    line = orders_pb2.OrderLine()
    line.CopyFrom(state.line)
    line.quantity, line.total_minor, line.given_up = state.wanted, state.wanted_minor, 0
    return line


def _line(lines: Mapping[int, orders_pb2.OrderLine], line_no: int, option: str) -> orders_pb2.OrderLine:
    if line_no not in lines:
        raise click.BadParameter(f"the order has no line {line_no}", param_hint=option)
    return lines[line_no]


def amended_charges(order: orders_pb2.Order, texts: Iterable[str]) -> list[order_money_pb2.Charge]:
    """The charges, those that are named with their new amounts; one of nothing goes."""
    charges = {charge.charge_id: charge for charge in order.charges}
    for text in texts:
        charge = parsed_charge(text, order.currency)
        charges[charge.charge_id] = charge
    return [charge for charge in charges.values() if charge.amount_minor]
