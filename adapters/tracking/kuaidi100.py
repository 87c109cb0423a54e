"""kuaidi100 (快递100): pushes, and answers of its query, with the Chinese carriers' texts in Beijing time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import parse_qs, urlencode

import msgspec

from adapters.edges.agreement import Account, Check, Field
from adapters.edges.delivery import AtTheDoor, BadSignature, Delivery, DoorAnswer, MalformedDelivery, Received
from adapters.edges.http import Http, Reply
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.questions import Fetched, Tracked
from adapters.edges.reading import decoded, door_decoded
from adapters.edges.signatures import require_any
from adapters.tracking import carriers
from adapters.tracking.moments import BEIJING, Place, ToldTime, told
from adapters.tracking.scans import Scan, ToldParcel, understood
from adapters.tracking.tracker import (
    API,
    CARRIERS,
    Registration,
    Tracker,
    TrackerCall,
    UnexpectedAnswer,
    answer_of,
    refused,
    required_answer,
)
from adapters.tracking.words import (
    AT_CUSTOMS,
    ATTEMPT_FAILED,
    DAMAGED,
    DELAYED,
    DELIVERED,
    FOR_PICKUP,
    HELD,
    IN_TRANSIT,
    OTHER,
    OUT_FOR_DELIVERY,
    REACHED,
    REFUSED,
    REGISTERED,
    RETURNED,
    RETURNING,
    Meaning,
    meaning,
)
from ledger.terms.effects import EffectKind

_ALREADY_SUBSCRIBED = "501"
_RESULT = "4"
"""Its "resultv2" that gives each scan a word and a code of its own."""
_ON_ITS_WAY = "0"
_STATE = "state:"
"""Before the code of a whole state, which scans without a word of their own have."""

WORDS: Mapping[str, Meaning] = {
    # Codes of scans, and of a whole state.
    "0": IN_TRANSIT,
    "1": IN_TRANSIT,
    "2": OTHER,  # difficult
    "3": DELIVERED,
    "4": RETURNED,
    "5": OUT_FOR_DELIVERY,
    "6": RETURNING,
    "7": IN_TRANSIT,
    "8": AT_CUSTOMS,
    "10": AT_CUSTOMS,
    "11": AT_CUSTOMS,
    "12": IN_TRANSIT,
    "13": HELD,
    "14": REFUSED,
    "101": REGISTERED,
    "102": REGISTERED,
    "103": IN_TRANSIT,
    "1001": IN_TRANSIT,
    "1002": IN_TRANSIT,
    "1003": IN_TRANSIT,
    "201": DELAYED,
    "202": DELAYED,
    "203": REFUSED,
    "204": ATTEMPT_FAILED,
    "205": FOR_PICKUP,
    "206": ATTEMPT_FAILED,
    "207": ATTEMPT_FAILED,
    "208": DELAYED,
    "209": DAMAGED,
    "210": OTHER,
    "301": REACHED,
    "302": DELIVERED,
    "303": REACHED,
    "304": DELIVERED,
    "401": OTHER,
    "501": FOR_PICKUP,
    # Words of scans, where they have no code.
    "揽收": IN_TRANSIT,
    "在途": IN_TRANSIT,
    "派件": OUT_FOR_DELIVERY,
    "签收": DELIVERED,
    "退回": RETURNING,
    "退签": RETURNED,
    "拒签": REFUSED,
    "转投": IN_TRANSIT,
    "疑难": OTHER,
    "清关": AT_CUSTOMS,
}


class _Scan(msgspec.Struct):
    time: str | None = None
    ftime: str | None = None
    context: str | None = None
    status: str | None = None
    statusCode: str | int | None = None  # noqa: N815
    areaName: str | None = None  # noqa: N815


class _Result(msgspec.Struct):
    nu: str = ""
    com: str = ""
    state: str | int | None = None
    data: list[_Scan] | None = None


class _Push(msgspec.Struct):
    status: str | None = None
    message: str | None = None
    comOld: str | None = None  # noqa: N815
    comNew: str | None = None  # noqa: N815
    lastResult: _Result | None = None  # noqa: N815
    destResult: _Result | None = None  # noqa: N815


class Kuaidi100(Tracker):
    name = "kuaidi100"
    what = "kuaidi100 (快递100): tracking of the Chinese carriers"
    api = "https://poll.kuaidi100.com"
    settings: ClassVar[Mapping[str, Field]] = {
        "carriers": CARRIERS,
        "api": API,
        "customer": Field("the customer's code (customer), to ask for numbers"),
        "callback": Field("this connection's address as kuaidi100 reaches it, https://.../in/TENANT/NAME"),
    }
    secrets: ClassVar[Mapping[str, Field]] = {
        "salt": Field("a random text that pushes are signed with; it is told with each number", required=True),
        "key": Field("the authorisation key, to subscribe to numbers and to ask for them"),
    }
    calls_per_second = 10.0
    asks_every_seconds = 86_400.0  # each question is paid for
    key = "key"

    def verify(self, delivery: Delivery, account: Account, now: datetime) -> Received | None:
        param, sign = _form(delivery.raw)
        expected = [_md5(param + salt) for salt in account.every("salt") if salt]
        require_any(sign.upper(), expected)
        push = door_decoded(param.encode(), _Push)
        result = push.lastResult or push.destResult
        if result is None or not result.nu:
            raise MalformedDelivery("param.lastResult.nu: is not told")
        times = [at for each in result.data or () if (at := _told(each)) is not None]
        newest = max((each.at for each in times if isinstance(each.at, datetime)), default=None)
        return Received(push.status or "push", f"{carriers.of_kuaidi100(result.com)}/{result.nu}", happened_at=newest)

    def answer(self, outcome: AtTheDoor) -> DoorAnswer:
        """It reads the body: anything but this success is sent again three times."""
        if outcome in (AtTheDoor.KEPT, AtTheDoor.NOTHING):
            return _answer(200, {"result": True, "returnCode": "200", "message": "成功"})
        usual = super().answer(outcome)
        return _answer(usual.status, {"result": False, "returnCode": "500", "message": "失败"})

    def knows(self, carrier: str) -> bool:
        found = carriers.known(carrier)
        return found is not None and bool(found.kuaidi100)

    def understand(self, received: Received, raw: bytes, account: Account, known: KnownNow) -> Understood:
        try:
            push = decoded(_form(raw)[0].encode(), _Push)
        except BadSignature:
            raise NotUnderstood("param: is no text") from None
        results = [each for each in (push.lastResult, push.destResult) if each is not None and each.nu]
        if not results:
            raise NotUnderstood("lastResult.nu: is not told")
        if push.status == "abort" and not any(each.data for each in results):
            return Understood(ignored="kuaidi100 follows the number no more: it has found nothing")
        return understood([_parcel(results, first_guesses=[push.comNew or "", push.comOld or ""])], known)

    def registering(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        return [_subscribing(self.at(account, "/poll"), each, account) for each in tracked]

    def registered(self, call: TrackerCall, reply: Reply) -> list[Registration]:
        answer = answer_of(reply, _Subscribed)
        if answer is None or (not answer.result and not answer.returnCode):
            return refused(call, reply)
        if answer.result or answer.returnCode == _ALREADY_SUBSCRIBED:
            return [Registration(each) for each in call.about]
        problem = f"kuaidi100 does not take the number ({answer.returnCode})"
        return [Registration(each, problem, later=answer.returnCode in _LATER) for each in call.about]

    def is_asked(self, account: Account) -> bool:
        return super().is_asked(account) and bool(account.settings.get("customer"))

    def is_told(self, kind: EffectKind, account: Account) -> bool:
        return super().is_told(kind, account) and bool(account.settings.get("callback"))

    async def check(self, http: Http, account: Account) -> list[Check]:
        callback = account.settings.get("callback")
        problem = "" if callback else "there is no callback, so no number is subscribed to; add the connection with it"
        return [*await super().check(http, account), Check("numbers are subscribed to", problem)]

    def asking(self, tracked: Sequence[Tracked], account: Account) -> list[TrackerCall]:
        return [_query(self.at(account, "/poll/query.do"), each, account) for each in tracked]

    def told(self, call: TrackerCall, reply: Reply) -> list[Fetched]:
        answer = required_answer(reply, _Answer)
        if str(answer.status) != "200":
            raise UnexpectedAnswer(f"kuaidi100 answered with {answer.returnCode or answer.status}")
        result = reply.body.decode("utf-8", "strict")
        form = urlencode({"param": '{"status":"asked","lastResult":' + result + "}"}).encode()
        about = call.about[0].object_id if call.about else f"{carriers.of_kuaidi100(answer.com)}/{answer.nu}"
        return [Fetched(Received("asked", about, content=reply.body), form)]


def _form(raw: bytes) -> tuple[str, str]:
    """The two fields of a push. Nothing else of it is read before the sign is that of the first."""
    try:
        fields = parse_qs(raw.decode("ascii"), max_num_fields=10, strict_parsing=True, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise BadSignature("it is no form with a param and its sign") from None
    return fields.get("param", [""])[0], fields.get("sign", [""])[0]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def _answer(status: int, body: object) -> DoorAnswer:
    return DoorAnswer(status, msgspec.json.encode(body), "application/json; charset=utf-8")


def _parcel(results: Sequence[_Result], first_guesses: Sequence[str]) -> ToldParcel:
    """The results of both countries are of one parcel; the second may be under another number."""
    main, *abroad = results
    codes = [main.com, *first_guesses] if main.com else list(first_guesses)
    last = abroad[0] if abroad and abroad[0].nu.upper() != main.nu.upper() and abroad[0].com else None
    return ToldParcel(
        carriers=[carriers.of_kuaidi100(each) for each in codes if each],
        number=main.nu,
        scans=[scan for each in results for scan in _scans(each)],
        last_mile=(carriers.of_kuaidi100(last.com), last.nu) if last else None,
    )


def _scans(result: _Result) -> list[Scan]:
    """The newest scan has the state of the whole, where it has no word of its own; older ones were on the way."""
    scans = result.data or []
    times = [each.at for one in scans if (each := _told(one)) is not None and isinstance(each.at, datetime)]
    newest = max(times, default=None)
    return [_scan(each, str(result.state or "0") if _is_at(each, newest) else "") for each in scans]


def _is_at(each: _Scan, newest: datetime | None) -> bool:
    at = _told(each)
    return newest is not None and at is not None and at.at == newest


def _scan(each: _Scan, state: str) -> Scan:
    code, word = str(each.statusCode or "").strip(), (each.status or "").strip()
    known = code if code in WORDS else word if word in WORDS else ""
    told_code = known or code or word
    means = meaning(WORDS, told_code or state or _ON_ITS_WAY)
    shown = told_code or _STATE + (state or _ON_ITS_WAY)
    return Scan(_told(each), means, shown, each.context or "", Place(each.areaName or ""), not told_code and not state)


def _told(each: _Scan) -> ToldTime | None:
    """Beijing time, whatever the country: that is how kuaidi100 writes all of them."""
    found = told(each.ftime) or told(each.time)
    if found is None or not isinstance(found.at, datetime) or found.at.tzinfo is not None:
        return found
    return ToldTime(found.at.replace(tzinfo=BEIJING))


# --- what is asked for ----------------------------------------------------------------------------

_LATER = ("500", "600", "601")


class _Subscribed(msgspec.Struct):
    result: bool = False
    returnCode: str = ""  # noqa: N815


class _Answer(msgspec.Struct):
    status: str | int = ""
    returnCode: str = ""  # noqa: N815
    nu: str = ""
    com: str = ""


def _code(each: Tracked) -> str:
    found = carriers.known(each.carrier)
    return found.kuaidi100 if found and found.kuaidi100 else each.carrier


def _subscribing(url: str, each: Tracked, account: Account) -> TrackerCall:
    parameters = {
        "callbackurl": account.settings.get("callback", ""),
        "salt": account.secret("salt"),
        "resultv2": _RESULT,
        "interCom": "1",
        "phone": each.phone_end,
    }
    param = {"company": _code(each), "number": each.number, "key": account.secret("key"), "parameters": parameters}
    return _post(url, {"schema": "json", "param": msgspec.json.encode(param).decode()}, each)


def _query(url: str, each: Tracked, account: Account) -> TrackerCall:
    param = {"com": _code(each), "num": each.number, "phone": each.phone_end, "resultv2": _RESULT}
    text, customer = msgspec.json.encode(param).decode(), account.settings.get("customer", "")
    sign = _md5(text + account.secret("key") + customer)
    return _post(url, {"customer": customer, "sign": sign, "param": text}, each)


def _post(url: str, form: Mapping[str, str], each: Tracked) -> TrackerCall:
    return TrackerCall(
        "POST", url, {"content-type": "application/x-www-form-urlencoded"}, (each,), urlencode(form).encode()
    )
