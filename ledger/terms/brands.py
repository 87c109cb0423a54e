"""Brands: whom the mails of a channel come from, and how they look."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.facts import Value


class Brand(Value, frozen=True):
    """What the customers of one channel, or of every channel without an entry of its own, know the retailer by.

    The entry without a channel also stands on mails to suppliers and staff.
    """

    channel: str = ""
    name: str = ""
    """Such as ``Brook & Sons``; without one, customers read the channel's id."""
    colour: str = "#1f5f8b"
    """Of headings and buttons, as #rrggbb."""
    logo_url: str = ""
    """An https address of a picture that is shown instead of the name."""
    signature: tuple[str, ...] = ()
    """Below each mail, line by line."""
    mail_from: str = ""
    """The address that mails come from; the sender of mails has one for all where this is empty."""
    reply_to: str = ""
    """Where answers go, if not to the address that mails come from."""
    order_link: str = ""
    """Where customers see their orders: {order} in it stands for the shop's order id."""
    tracking_site: str = ""
    """Under which address the edges serve the tracking pages of orders, such as ``https://track.brook.example``."""

    def link_to(self, channel_order_id: str) -> str:
        return self.order_link.replace("{order}", channel_order_id) if channel_order_id else ""


def brand_of(brands: Sequence[Brand], channel: str) -> Brand:
    """The brand of a channel, or else that of all channels."""
    by_channel = {each.channel: each for each in brands}
    return by_channel.get(channel) or by_channel.get("") or Brand()
