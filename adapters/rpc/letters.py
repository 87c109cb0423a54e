"""Letters as the contract shows them."""

from __future__ import annotations

from adapters.messages.envelope import Envelope
from fulfilment.v1 import messages_pb2


def show_letter(written: Envelope) -> messages_pb2.Letter:
    return messages_pb2.Letter(
        name=written.name,
        email=written.email,
        phone=written.phone,
        subject=written.subject,
        text=written.text,
        html=written.html,
    )
