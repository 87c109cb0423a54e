"""What stock-ups are refused for."""

from __future__ import annotations

from tests.support.refusal_scenarios.about import Scenarios, as_it_is, beyond, named, nobodys, of_supplier
from tests.support.service import stamp
from tests.support.trading import DAY, NOW, Trade, fresh


def asked(trade: Trade) -> str:
    stock_up_id = fresh()
    trade.send("AskStockUp", stock_up_id=stock_up_id, supplier_id="acme")
    return stock_up_id


def withdrawn(trade: Trade) -> str:
    stock_up_id = asked(trade)
    trade.send("WithdrawStockUp", stock_up_id=stock_up_id)
    return stock_up_id


of_stock_up = named("stock_up_id")

STOCK_UPS: Scenarios = {
    "ProposeStockUps": {
        "UNKNOWN_SUPPLIER": nobodys,
        "PROJECTION_BEHIND": of_supplier(Trade.candidate),
        "BEYOND_THE_LOG": beyond,
    },
    "AskStockUp": {
        "UNKNOWN_SUPPLIER": as_it_is,
        "STOCK_UP_ASKED_DIFFERENTLY": of_stock_up(asked, supplier_id="acme", units=10),
    },
    "AnswerStockUp": {
        "UNKNOWN_STOCK_UP": as_it_is,
        "STOCK_UP_IS_WITHDRAWN": of_stock_up(withdrawn),
        "STOCK_UP_ANSWERED_TOO_EARLY": of_stock_up(asked, at=stamp(NOW - DAY)),
    },
    "WithdrawStockUp": {"UNKNOWN_STOCK_UP": as_it_is},
    "GetStockUp": {"UNKNOWN_STOCK_UP": as_it_is, "BEYOND_THE_LOG": beyond},
    "ListStockUps": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
}
