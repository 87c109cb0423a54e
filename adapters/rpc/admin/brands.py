"""Brands, between the contract and the retailer's terms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from adapters.mail.addresses import addresses_in
from adapters.rpc import shapes
from adapters.rpc.faults import require
from adapters.rpc.shapes import text
from fulfilment.v1 import admin_pb2 as pb
from ledger.terms.brands import Brand

_MOST = 200
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_ADDRESS = re.compile(r"https://[A-Za-z0-9._~:/?#@!$&'()*+,;=%{}\[\]-]+")

_SITE = re.compile(r"https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?")


def brands(given: Sequence[pb.Brand]) -> tuple[Brand, ...]:
    field = "policy.brands"
    require(len(given) <= _MOST, field, f"{len(given)} channels, {_MOST} at most")
    found = tuple(_brand(each, f"{field}[{index}]") for index, each in enumerate(given))
    require(len({each.channel for each in found}) == len(found), field, "two are of the same channel")
    return found


def _brand(given: pb.Brand, field: str) -> Brand:
    require(len(given.signature) <= 10, f"{field}.signature", f"{len(given.signature)} lines, 10 at most")
    return Brand(
        channel=shapes.optional(shapes.plain_id, given.channel, f"{field}.channel"),
        name=text(given.name, f"{field}.name", 100),
        colour=_colour(given.colour, f"{field}.colour"),
        logo_url=_https(given.logo_url, f"{field}.logo_url"),
        signature=tuple(text(line, f"{field}.signature[{index}]", 200) for index, line in enumerate(given.signature)),
        mail_from=_mail_address(given.mail_from, f"{field}.mail_from"),
        reply_to=_mail_address(given.reply_to, f"{field}.reply_to"),
        order_link=_https(given.order_link, f"{field}.order_link"),
        tracking_site=_site(given.tracking_site, f"{field}.tracking_site"),
    )


def _colour(value: str, field: str) -> str:
    found = value.lower() or Brand().colour
    require(_COLOUR.fullmatch(found) is not None, field, f"{value!r} is no colour such as #1f5f8b")
    return found


def _https(value: str, field: str) -> str:
    found = text(value, field, 500)
    require(
        not found or _ADDRESS.fullmatch(found) is not None, field, f"{value!r} is no address that begins with https://"
    )
    return found


def _site(value: str, field: str) -> str:
    found = text(value, field, 200).removesuffix("/")
    usable = not found or _SITE.fullmatch(found) is not None
    require(usable, field, f"{value!r} is no address such as https://track.example.org")
    return found


def _mail_address(value: str, field: str) -> str:
    usable = not value or addresses_in(value) == [value]
    require(usable, field, f"{value!r} is no e-mail address such as orders@example.org")
    return value


def show_brands(known: Iterable[Brand]) -> list[pb.Brand]:
    return [pb.Brand(**{name: getattr(each, name) for name in each.__struct_fields__}) for each in known]
