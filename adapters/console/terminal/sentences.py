"""Sentences of the service in terms of this console: commands instead of RPCs, line numbers instead of paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

COMMANDS = {
    "AskStockUp": "stock up ask",
    "ChangeAddress": "order address",
    "CompleteCustomsData": "order customs",
    "CompleteDetails": "order complete",
    "CreateTenant": "tenant add",
    "DisputeDelivery": "parcel dispute",
    "GetStatus": "status",
    "HoldPersonalData": "person hold",
    "ListEffects": "effect list",
    "ListMessages": "message list",
    "ListReceptions": "inbox list",
    "OpenRecovery": "recovery open",
    "RaiseRecovery": "recovery raise",
    "RecordChargeback": "order chargeback",
    "RecordCheckpoints": "parcel scan",
    "RecordPayment": "order pay",
    # A parcel is registered when it leaves.
    "RegisterParcel": "order ship",
    "RecordSupplierInvoice": "supplier invoice record",
    "RegisterSupplier": "supplier add",
    "RequestCustomerInvoice": "invoice request",
    "SendSupplierOrder": "order send",
    "UpdateSupplier": "supplier update",
    "VoidParcel": "parcel void",
}
"""The command behind each RPC that a refusal names; a test fails while one is missing."""

_OPTIONS = re.compile(r"\b(even_if_open|with_tags)\b")
"""Fields that a refusal tells to set, which are options here."""
_RPC = re.compile(rf"\b(?:\w+Service\.)?({'|'.join(COMMANDS)})\b")
_PATH = re.compile(r"\b(\w+)\[(\d+)\]((?:\.\w+)*)")


def translated(sentence: str, request: Any = None) -> str:
    """A refusal for people; the request has the numbers of its lines."""
    typed = _OPTIONS.sub(lambda found: f"--{found[1].replace('_', '-')}", sentence)
    return paths(_RPC.sub(lambda found: f"fulfilment {COMMANDS[found[1]]}", typed), request)


def paths(text: str, message: Any = None, line_numbers: Sequence[int] = ()) -> str:
    """``lines[0].sku`` as ``sku of line 1``: lines by their own numbers where these are known, all else from 1 on."""

    def replaced(found: re.Match[str]) -> str:
        name, index, rest = found[1], int(found[2]), found[3].removeprefix(".")
        if name != "lines":
            place = f"{name} {index + 1}"
        else:
            numbers = line_numbers or [getattr(each, "line_no", 0) for each in getattr(message, "lines", ())]
            place = f"line {(numbers[index] if index < len(numbers) else 0) or index + 1}"
        return f"{rest} of {place}" if rest else place

    return _PATH.sub(replaced, text)
