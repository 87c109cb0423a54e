"""What text messages say, and how many segments a text takes: who sends it pays for each."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.nouns.messages import MessageKind

MOST_SEGMENTS = 2

_EN, _ZH = "en", "zh"
TEXTS: Mapping[str, Mapping[MessageKind, str]] = {
    _EN: {
        MessageKind.OUT_FOR_DELIVERY: "{{ shop }}: a parcel of your order {{ order }} arrives today."
        "{% if collect %} Please have {{ collect }} ready.{% endif %}",
        MessageKind.ATTEMPT_FAILED: "{{ shop }}: the carrier could not hand over a parcel of your order {{ order }}."
        "{% if pickup_until %} It waits for you until {{ pickup_until }}.{% endif %}",
        MessageKind.READY_FOR_PICKUP: "{{ shop }}: a parcel of your order {{ order }} waits to be fetched"
        "{% if pickup_until %} until {{ pickup_until }}{% endif %}."
        "{% if collect %} You pay {{ collect }}.{% endif %}",
        MessageKind.CUSTOMS_REQUEST: "{{ shop }}: customs waits for "
        "{% if reason == 'documents' %}papers{% else %}a payment{% endif %} from you for your order {{ order }}"
        "{% if answer_by %}, by {{ answer_by }}{% endif %}. The carrier writes to you.",
    },
    _ZH: {
        MessageKind.OUT_FOR_DELIVERY: "【{{ shop }}】订单{{ order }}的包裹今日派送"
        "{% if collect %}，请备好{{ collect }}{% endif %}。",
        MessageKind.ATTEMPT_FAILED: "【{{ shop }}】订单{{ order }}的包裹派送未成功"
        "{% if pickup_until %}，保留至{{ pickup_until }}{% endif %}。",
        MessageKind.READY_FOR_PICKUP: "【{{ shop }}】订单{{ order }}的包裹待领取"
        "{% if pickup_until %}，请于{{ pickup_until }}前领取{% endif %}"
        "{% if collect %}，需付{{ collect }}{% endif %}。",
        MessageKind.CUSTOMS_REQUEST: "【{{ shop }}】海关等待您为订单{{ order }}"
        "{% if reason == 'documents' %}提供资料{% else %}缴税{% endif %}"
        "{% if answer_by %}，截止{{ answer_by }}{% endif %}，承运商会联系您。",
    },
}
"""By language and kind, in the language of templates."""
PAGE = "{% if tracking_page or link %} {{ tracking_page if tracking_page else link }}{% endif %}"
"""Behind each of them, where it fits."""


def language_of(language: str) -> str:
    return language if language in TEXTS else _EN


# --- segments -------------------------------------------------------------------------------------

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The basic character set of GSM 03.38, of seven bits a sign."""
_GSM_TWICE = frozenset("\f^{}\\[~]|€")
"""Of its extension, each behind an escape."""
_GSM_ALONE, _GSM_EACH = 160, 153
_UCS2_ALONE, _UCS2_EACH = 70, 67
"""Signs in a text that is one segment, and in each of several."""


def segments(text: str) -> int:
    """How many parts a text is sent in: one sign that GSM 03.38 lacks makes all of it UCS-2."""
    if all(each in _GSM or each in _GSM_TWICE for each in text):
        return _parts([2 if each in _GSM_TWICE else 1 for each in text], _GSM_ALONE, _GSM_EACH)
    return _parts([2 if ord(each) > 0xFFFF else 1 for each in text], _UCS2_ALONE, _UCS2_EACH)


def _parts(sizes: list[int], alone: int, each: int) -> int:
    """No sign of two places is cut in half."""
    if sum(sizes) <= alone:
        return 1
    parts, left = 1, each
    for size in sizes:
        if size > left:
            parts, left = parts + 1, each
        left -= size
    return parts


def fitted(text: str) -> str:
    """Cut where it would take too many segments, as where a shop has a very long name."""
    end = len(text)
    while segments(text[:end]) > MOST_SEGMENTS:
        end -= 1
    return text[:end]
