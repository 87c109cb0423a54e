"""Order numbers as channels give them, and the form that they have in an order's id."""

from __future__ import annotations

import re

_ORDER_NUMBER = re.compile(r"[A-Za-z0-9#%][A-Za-z0-9._:#+%-]{0,299}")
_AS_IT_IS = re.compile(r"[A-Za-z0-9#][A-Za-z0-9._:#+-]{0,299}")
_ENCODED = re.compile(r"^[^A-Za-z0-9#]|[^A-Za-z0-9._:#+-]")


def is_order_number(text: str) -> bool:
    """Whether text may be the part of an order's id that comes from the channel's own number."""
    return _ORDER_NUMBER.fullmatch(text) is not None


def order_number(channel_order_id: str) -> str:
    """A channel's own number as the order's id has it: what an id cannot hold is percent-encoded as in a URL.

    ``#1001`` stays as it is; ``2026/17 b`` is ``2026%2F17%20b``. Different numbers stay different.
    """
    if _AS_IT_IS.fullmatch(channel_order_id):
        return channel_order_id
    return _ENCODED.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), channel_order_id)
