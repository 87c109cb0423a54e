"""Rows of Olist's files, few enough to read, and folders of them."""

from __future__ import annotations

import csv
from datetime import UTC
from pathlib import Path
from typing import Any

from adapters.order_files.olist import Olist, Row

ROWS: dict[str, list[dict[str, str]]] = {
    "sellers": [{"seller_id": "s1"}, {"seller_id": "s2"}],
    "products": [{"product_id": "p1", "product_weight_g": "300"}, {"product_id": "p2", "product_weight_g": ""}],
    "customers": [
        {
            "customer_id": "c1",
            "customer_unique_id": "u1",
            "customer_zip_code_prefix": "01310",
            "customer_city": "sao paulo",
            "customer_state": "SP",
        }
    ],
    "orders": [
        {
            "order_id": "o1",
            "customer_id": "c1",
            "order_status": "delivered",
            "order_purchase_timestamp": "2018-06-01 10:00:00",
            "order_approved_at": "2018-06-01 11:00:00",
            "order_delivered_carrier_date": "2018-06-03 12:00:00",
            "order_delivered_customer_date": "2018-06-09 13:00:00",
            "order_estimated_delivery_date": "2018-06-20 00:00:00",
        }
    ],
    "order_items": [
        {
            "order_id": "o1",
            "order_item_id": "1",
            "product_id": "p1",
            "seller_id": "s1",
            "shipping_limit_date": "2018-06-05 11:00:00",
            "price": "58.9",
        }
    ],
    "order_reviews": [
        {"review_id": "r1", "order_id": "o1", "review_score": "4", "review_creation_date": "2018-06-10 00:00:00"}
    ],
}


def reading(**changes: Any) -> Olist:
    """One delivered order of one item, but for the changes: a table's rows, or the order's cells.

    Payments are told only where they are given.
    """
    tables = {**ROWS, "order_payments": []} if "order_payments" in changes else ROWS
    rows = {name: [dict(row) for row in changes.pop(name, table)] for name, table in tables.items()}
    for name, value in changes.items():
        rows["orders"][0][name] = value
    return Olist({name: [Row(f"{name}.csv", n, r) for n, r in enumerate(table, 2)] for name, table in rows.items()})


def item(number: int, seller: str = "s1", **more: str) -> dict[str, str]:
    return {**ROWS["order_items"][0], "order_item_id": str(number), "seller_id": seller, **more}


def payment(number: int, value: str, method: str = "credit_card", **more: str) -> dict[str, str]:
    row = {"order_id": "o1", "payment_sequential": str(number), "payment_type": method, "payment_value": value}
    return {**row, **more}


def commands(source: Olist) -> list[Any]:
    """The commands of the only order."""
    ((*found,),) = source.orders()
    return [getattr(each, each.WhichOneof("command") or "") for each in found]


def names(source: Olist) -> list[str]:
    return [type(each).__name__.removesuffix("Request") for each in commands(source)]


def at(message: Any, field: str = "at") -> str:
    return f"{getattr(message, field).ToDatetime(tzinfo=UTC):%Y-%m-%d %H:%M}"


def small_folder(folder: Path, **changes: Any) -> Path:
    folder.mkdir()
    for name, table in {**ROWS, **changes}.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
    return folder
