"""Orders in files as a system of the edges: what a connection keeps is which column is what. Nothing is sent to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from adapters.edges.agreement import Account, Check, Field
from adapters.edges.delivery import BadSignature, Delivery, Received
from adapters.edges.http import Http
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.system import System
from adapters.order_files.columns import COLUMNS, OPTIONS
from adapters.order_files.values import time_zone

_DATES = ("", "iso", "dmy", "mdy", "ymd")
_DECIMALS = ("", "point", "comma")


class OrderFiles(System):
    """Files of orders that somebody imports."""

    name: ClassVar[str] = "file"
    what: ClassVar[str] = "orders in CSV or Excel files, for fulfilment order import"
    role: ClassVar[str] = "shop"
    settings: ClassVar[Mapping[str, Field]] = {
        **{each.name: Field(f"the column with {each.what}, or = and what all have") for each in COLUMNS.values()},
        **{name: Field(what) for name, what in OPTIONS.items()},
    }

    def checked(self, settings: Mapping[str, str]) -> Mapping[str, str]:
        if not settings.get("order"):
            raise ValueError("order is not said: the column with the order's own number")
        if settings.get("dates", "") not in _DATES or settings.get("decimal", "") not in _DECIMALS:
            raise ValueError("dates is one of iso, dmy, mdy and ymd; decimal is point or comma")
        if len(settings.get("delimiter", "")) > 1 and settings["delimiter"] != "tab":
            raise ValueError("delimiter is one character, or tab")
        time_zone(settings.get("zone", ""))
        return settings

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        raise BadSignature("files are imported, and not sent")

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        raise NotUnderstood("files are imported, and not sent")

    async def check(self, http: Http, account: Account) -> list[Check]:
        return [Check("its columns are kept")]
