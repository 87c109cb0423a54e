"""An inquiry into its message."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from adapters.rpc.shows import number_of, party, stamp
from fulfilment.v1 import inquiries_pb2 as pb
from ledger.facts import Sealed
from ledger.nouns.inquiries import Inquiry
from projections.inquiries import ListedInquiry

_state = number_of(pb.InquiryState)
_topic = number_of(pb.InquiryTopic)


def inquiry(state: Inquiry, version: int, unsealed: Mapping[str, str], erased_at: datetime | None = None) -> pb.Inquiry:
    """The inquiry; unsealed are its texts, by the id of their keys, if they were asked for."""
    asked = state.asked
    answered = pb.INQUIRY_STATE_ANSWERED if state.answers else pb.INQUIRY_STATE_OPEN
    return pb.Inquiry(
        inquiry_id=asked.inquiry_id,
        state=pb.INQUIRY_STATE_CLOSED if state.closed else answered,
        asked_by=party(asked.asked_by),
        asked_of=party(asked.asked_of),
        supplier_id=asked.supplier_id,
        order_id=asked.order_id,
        supplier_order_id=asked.supplier_order_id,
        topic=_topic(asked.topic),
        asked_at=stamp(asked.at),
        answer_by=stamp(asked.answer_by),
        answered_at=stamp(state.answered_at),
        closed_at=stamp(state.closed.at if state.closed else None),
        answer_missed=state.is_missed,
        erased_at=stamp(erased_at),
        text=_text_of(asked.text, unsealed),
        answers=[
            pb.InquiryAnswer(at=stamp(each.at), by=each.by, text=_text_of(each.text, unsealed))
            for each in state.answers
        ],
        version=version,
        time_zone=asked.time_zone,
    )


def _text_of(text: Sealed | None, unsealed: Mapping[str, str]) -> str:
    return unsealed.get(text.key_id, "") if text is not None else ""


def waiting(each: ListedInquiry) -> pb.Inquiry:
    return pb.Inquiry(
        inquiry_id=each.inquiry_id,
        state=_state(each.state),
        asked_by=party(each.asked_by),
        asked_of=party(each.asked_of),
        supplier_id=each.supplier_id,
        order_id=each.order_id,
        supplier_order_id=each.supplier_order_id,
        topic=_topic(each.topic),
        asked_at=stamp(each.asked_at),
        answer_by=stamp(each.due),
        answered_at=stamp(each.answered_at),
        closed_at=stamp(each.closed_at),
        answer_missed=each.missed,
        time_zone=each.time_zone,
    )
