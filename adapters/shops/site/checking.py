"""Documents of an own site as they come: read, or refused with the place of all that is wrong in them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin
from unicodedata import normalize

import msgspec

from adapters.edges.delivery import DoorAnswer, MalformedDelivery
from adapters.edges.meaning import NotUnderstood
from adapters.shops.site.documents import KINDS, OrderTold, PaymentsTold, SiteOrder, SitePayment, Told
from adapters.web.doubled_names import Doubled, as_object
from ledger.facts import is_sku
from ledger.terms.money import CURRENCIES, MOST_MINOR
from ledger.terms.order_numbers import is_order_number, order_number

_MOST_FAULTS = 50
_AHEAD = timedelta(days=1)
"""How far the site's clock may run before ours."""
_FIRST, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
_FITS: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)
_MAY_BE_NOTHING = ("voided", "failed")


class SiteFault(NamedTuple):
    """What is wrong with a value of a document."""

    pointer: str
    """Where, as a JSON pointer (RFC 6901)."""
    description: str


class UnfitDocument(MalformedDelivery):
    """The site that sends it is told all that is wrong; its developer is the one who can mend it."""

    def __init__(self, status: int, detail: str, faults: Iterable[SiteFault] = ()) -> None:
        super().__init__(detail)
        violations = [each._asdict() for each in faults]
        self.answer = problem(status, detail, **({"violations": violations} if violations else {}))


def problem(status: int, detail: str, **more: Any) -> DoorAnswer:
    """A problem (RFC 9457)."""
    body = {"type": "about:blank", "title": "The document is not taken", "status": status, "detail": detail, **more}
    return DoorAnswer(status, msgspec.json.encode(body), "application/problem+json")


def told(raw: bytes, now: datetime) -> Told:
    """A document, all of which fits. Raises UnfitDocument."""
    if twice := _doubled(raw):
        raise _unfit(twice[:_MOST_FAULTS])
    try:
        found = _FITS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _second_look(raw)
    if faults := list(_together(found, now))[:_MOST_FAULTS]:
        raise _unfit(faults)
    return found


def of_inbox(raw: bytes) -> Told:
    """A document that fitted when it came. Raises NotUnderstood where that was before it has changed."""
    try:
        return _FITS.decode(raw)
    except msgspec.ValidationError:
        pass
    try:
        return _second_look(raw)
    except UnfitDocument as unfit:
        raise NotUnderstood(str(unfit)) from None


def _second_look(raw: bytes) -> Told:
    """What fits once null is as absent; else raises UnfitDocument with all that is wrong."""
    try:
        body = _without_null(msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnfitDocument(400, f"the body is no JSON: {str(error)[:200]}") from None
    try:
        return _FITS.decode(msgspec.json.encode(body))
    except msgspec.ValidationError:
        pass
    kind = KINDS.get(str(body.get("type"))) if isinstance(body, dict) else None
    if not isinstance(body, dict):
        raise _unfit([SiteFault("", "is no object")])
    if kind is None:
        raise _unfit([SiteFault("/type", f"is none of {', '.join(KINDS)}")])
    body.pop("type")
    raise _unfit(list(_faults(body, kind, ""))[:_MOST_FAULTS])


def _doubled(raw: bytes) -> list[SiteFault]:
    """Names that an object has twice, of whose values it is not known which one is meant."""
    found: list[Doubled] = []

    def noted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        one = as_object(pairs)
        found.extend([one] if isinstance(one, Doubled) else [])
        return one

    try:
        body = json.loads(raw.decode(), object_pairs_hook=noted)
        return list(_twice_named(body, "")) if found else []
    except (ValueError, RecursionError):
        return []  # it is no JSON, or too deep, which is said otherwise


def _twice_named(value: Any, pointer: str) -> Iterator[SiteFault]:
    if isinstance(value, Doubled):
        yield from (SiteFault(f"{pointer}/{_escaped(name)}", "is given twice") for name in value.names)
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in parts:
        yield from _twice_named(each, f"{pointer}/{_escaped(str(name))}")


def _unfit(faults: list[SiteFault]) -> UnfitDocument:
    first = f"{faults[0].pointer or 'the document'}: {faults[0].description}"
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return UnfitDocument(422, f"{first}{more}", faults)


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(each) for name, each in value.items() if each is not None}
    return [_without_null(each) for each in value] if isinstance(value, list) else value


# --- each value by itself -------------------------------------------------------------------------


def _faults(value: Any, kind: Any, pointer: str) -> Iterator[SiteFault]:
    """All that is wrong with a value, as deep as it goes."""
    try:
        msgspec.convert(value, kind)
        return
    except msgspec.ValidationError as error:
        sentence = str(error).partition(" - at ")[0]
    bare = _bare(kind)
    deeper: list[SiteFault] = []
    if isinstance(value, dict) and isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        deeper = list(_of_object(value, bare, pointer))
    elif isinstance(value, list) and get_origin(bare) is list:
        (item,) = get_args(bare)
        deeper = [each for index, one in enumerate(value) for each in _faults(one, item, f"{pointer}/{index}")]
    yield from deeper or [SiteFault(pointer, _sentence(sentence))]


def _of_object(value: Mapping[str, Any], kind: type[msgspec.Struct], pointer: str) -> Iterator[SiteFault]:
    fields = {each.encode_name: each for each in msgspec.structs.fields(kind)}
    for name, one in value.items():
        if name in fields:
            yield from _faults(one, fields[name].type, f"{pointer}/{name}")
        elif name != kind.__struct_config__.tag_field:
            near = get_close_matches(name, fields, 1)
            guess = f"; is it {near[0]}?" if near else f"; there are {', '.join(fields)}"
            yield SiteFault(f"{pointer}/{_escaped(name)}", f"is no field{guess}")
    for name, field in fields.items():
        if field.required and name not in value:
            yield SiteFault(f"{pointer}/{name}", "is required")


def _bare(kind: Any) -> Any:
    """A type without what is said about it, and without that it may be absent."""
    while get_origin(kind) in (Annotated, Union, UnionType):
        kind = next(each for each in get_args(kind) if each is not NoneType)
    return kind


def _escaped(name: str) -> str:
    return name[:100].replace("~", "~0").replace("/", "~1")


def _sentence(text: str) -> str:
    """msgspec's sentences, such as "Expected `int` >= 0", without its marks."""
    if "matching regex" in text:
        return "is not written as its pattern says, or has control characters; see the schema"
    return f"{text[:1].lower()}{text[1:300]}".replace("`", "")


# --- values beside each other ---------------------------------------------------------------------


def _together(found: Told, now: datetime) -> Iterator[SiteFault]:
    """What no schema says."""
    yield from _past(found.timestamp, "/timestamp", now)
    if not is_order_number(order_number(found.data.order_id.strip())):
        yield SiteFault("/data/order_id", "is too long once it is encoded: 300 ASCII characters at most")
    if isinstance(found, OrderTold):
        yield from _of_order(found.data, now)
    elif isinstance(found, PaymentsTold):
        yield from _of_payments(found.data.payments, now)


def _of_order(order: SiteOrder, now: datetime) -> Iterator[SiteFault]:
    if order.currency not in CURRENCIES:
        yield SiteFault("/data/currency", f"{order.currency} is no currency of ISO 4217")
    yield from _past(order.placed_at, "/data/placed_at", now)
    yield from _instant(order.promised_by, "/data/promised_by")
    yield from _of_lines(order)
    yield from _twice([each.charge_id for each in order.charges], "/data/charges", "charge_id")
    for index, charge in enumerate(order.charges):
        if (charge.amount_minor > 0) if charge.kind == "discount" else (charge.amount_minor < 0):
            yield SiteFault(f"/data/charges/{index}/amount_minor", "a discount is 0 or below, all else 0 or above")
    yield from _of_payments(order.payments, now)
    if order.promised_day:
        if order.promised_by:
            yield SiteFault("/data/promised_day", "a promise is a day or an instant, not both")
        if not _is_day(order.promised_day):
            yield SiteFault("/data/promised_day", "is no day between the years 1970 and 2998")


def _of_lines(order: SiteOrder) -> Iterator[SiteFault]:
    yield from _twice([(each.line_id or each.sku).strip() for each in order.lines], "/data/lines", "line_id")
    cost = declared = 0
    for index, line in enumerate(order.lines):
        place = f"/data/lines/{index}"
        if not is_sku(normalize("NFC", line.sku.strip())):
            yield SiteFault(f"{place}/sku", "has characters that nobody can see")
        yield from _instant(line.dispatch_by, f"{place}/dispatch_by")
        cost += line.quantity * line.unit_price_minor if line.total_minor is None else line.total_minor
        declared += line.quantity * line.declared_value_minor
    if max(cost, declared) > MOST_MINOR:
        yield SiteFault("/data/lines", f"come to more than {MOST_MINOR} minor units")
    if not 0 <= cost + sum(each.amount_minor for each in order.charges) <= MOST_MINOR:
        yield SiteFault("/data/charges", f"with the lines they come to less than 0, or more than {MOST_MINOR}")


def _of_payments(payments: list[SitePayment], now: datetime) -> Iterator[SiteFault]:
    yield from _twice([(each.kind, each.payment_id) for each in payments], "/data/payments", "kind and payment_id")
    for index, payment in enumerate(payments):
        if not payment.amount_minor and payment.kind not in _MAY_BE_NOTHING:
            yield SiteFault(f"/data/payments/{index}/amount_minor", "is 0, so nothing moved")
        yield from _past(payment.at, f"/data/payments/{index}/at", now)


def _twice(keys: list[Any], pointer: str, what: str) -> Iterator[SiteFault]:
    counted = Counter(keys)
    for index, key in enumerate(keys):
        if counted[key] > 1:
            yield SiteFault(f"{pointer}/{index}", f"another has the same {what}")


def _instant(at: datetime | None, pointer: str) -> Iterator[SiteFault]:
    if at is not None and not _FIRST <= at < _END:
        yield SiteFault(pointer, "is no instant between the years 1970 and 2999")


def _past(at: datetime | None, pointer: str, now: datetime) -> Iterator[SiteFault]:
    yield from _instant(at, pointer)
    if at is not None and at > now + _AHEAD:
        yield SiteFault(pointer, "lies in the future")


def _is_day(text: str) -> bool:
    try:
        return 1970 <= date.fromisoformat(text).year < 2999
    except ValueError:
        return False
