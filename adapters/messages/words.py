"""Days, carriers and links as messages write them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from math import ceil

from ledger.terms import time_zones

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
"""Not strftime's names, which change with the locale of the process."""


def in_words(at: date, language: str, *, with_time: bool, zone: str = "") -> str:
    """A day, or a day and a time in a zone, which is UTC if none is named, as the language writes it.

    A language that is not known here reads ``2026-03-04``, which nobody takes for another day.
    """
    clock = ""
    if isinstance(at, datetime):
        at = at.astimezone(time_zones.zone(zone or "UTC"))
        clock = f"{at:%H:%M}" if with_time else ""
    if language == "zh":
        return f"{at.year}年{at.month}月{at.day}日" + (f" {clock}（{zone or 'UTC'}）" if clock else "")
    place = f" ({zone})" if zone else " UTC"
    day = f"{at.day} {_MONTHS[at.month - 1]} {at.year}" if language == "en" else f"{at:%Y-%m-%d}"
    return day + (f", {clock}{place}" if clock else "")


def days_until(due: date, since: datetime, zone: str) -> int:
    """The days a customer waits: calendar days where it is, or begun days until an instant; at least 1."""
    if isinstance(due, datetime):
        return max(1, ceil((due - since) / timedelta(days=1)))
    return max(1, (due - since.astimezone(time_zones.zone(zone or "UTC")).date()).days)


_SHORT = 4
"""Carriers with so short a name write it in capitals: DHL, SF, YTO."""


def carrier_name(name: str) -> str:
    return name.upper() if len(name) <= _SHORT else name.title()


_IN_CHINESE = {
    "photo_of_label": "面单照片",
    "photo_of_damage": "破损处照片",
    "photo_of_packaging": "外包装照片",
    "photo_of_item": "商品照片",
    "photo": "照片",
    "video": "视频",
    "invoice": "发票",
    "logo_label": "品牌标签",
    "brand_card": "品牌卡片",
    "gift_wrap": "礼品包装",
    "after_sales_card": "售后卡",
}
"""Words of the trade that the ledger's documentation names."""


def humane(word: str, language: str) -> str:
    """A word such as ``photo_of_label`` as people read it."""
    return (language == "zh" and _IN_CHINESE.get(word)) or word.replace("_", " ")
