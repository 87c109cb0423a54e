"""What cells mean: amounts, days, words and names as people and spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.order_files.tables import Cell
from ledger.terms.money import MOST_MINOR, minor_digits

_WRAPPED = re.compile(r'="([^"]*)"')
"""How tables keep spreadsheets from taking a text for a number."""
_AMOUNT = re.compile(r"\(?[+-]?[0-9][0-9.,' ]*\)?|[+-]?[.,][0-9]+")
_CURRENCY = re.compile(r"^[^\d.,+(-]{1,5}|[^\d.,)]{1,5}$")
_DAY = re.compile(r"(\d{1,4})[./年-](\d{1,2})[./月-](\d{1,4})日?(?:[ T]+(.+))?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AaPp][Mm])?")
_ORDERS = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2)}
_MOST_DIGITS = 6
"""Of a number of a spreadsheet behind its point: more of them come from how it calculates."""


def text(cell: Cell) -> str:
    """A cell as text, without spaces at its ends; a whole number without its point."""
    if isinstance(cell, str):
        found = cell.strip()
        if found[:1] == "=" and (wrapped := _WRAPPED.fullmatch(found)):
            return wrapped[1].strip()
        # An apostrophe before it keeps a spreadsheet from reading a formula.
        return found[1:] if found[:2] in ("'=", "'+", "'-", "'@") else found
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date | datetime | time) else str(cell)


def amount_minor(cell: Cell, currency: str, decimal: str) -> int:
    """An amount in minor units. Raises ValueError with what is wrong."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        found = Decimal(repr(round(cell, _MOST_DIGITS)))
    else:
        found = _number(text(cell), currency, decimal)
    digits = minor_digits(currency)
    minor = found.scaleb(digits)
    if not minor.is_finite() or abs(minor) > MOST_MINOR:
        raise ValueError("is no amount that can be")
    if minor != minor.to_integral_value():
        raise ValueError(f"has more digits behind its point than the {digits} of {currency}")
    return int(minor)


def _number(written: str, currency: str, decimal: str) -> Decimal:
    bare = _CURRENCY.sub("", written.replace("\u00a0", " ").replace("\u202f", " ").replace("’", "'")).strip()
    if not _AMOUNT.fullmatch(bare):
        raise ValueError(f"{_short(written)} is no amount")
    below = bare.startswith(("-", "("))
    digits = bare.strip("()+- ").replace("'", "").replace(" ", "")
    mark = {"point": ".", "comma": ","}.get(decimal) or _mark(digits, written)
    whole, _, rest = digits.rpartition(mark) if mark and mark in digits else (digits, "", "")
    if any(each in rest for each in ".,"):
        raise ValueError(f"{_short(written)} has its decimal mark elsewhere than decimal={decimal} says")
    try:
        found = Decimal(f"{whole.replace('.', '').replace(',', '') or '0'}.{rest or '0'}")
    except InvalidOperation:
        raise ValueError(f"{_short(written)} is no amount") from None
    return -found if below else found


def _mark(digits: str, written: str) -> str:
    """What stands before cents: of two kinds the last; a single one unless three digits follow, as of thousands."""
    kinds = [each for each in ".," if each in digits]
    if not kinds:
        return ""
    last = max(kinds, key=digits.rindex)
    if len(kinds) == 2:
        return last
    if digits.count(last) > 1:
        return ""
    if len(digits) - digits.rindex(last) == 4 and digits.lstrip("0")[:1] != last:
        raise ValueError(f"{_short(written)} may be thousands or not: say decimal=point or decimal=comma")
    return last


def whole(cell: Cell) -> int:
    """A whole number of units. Raises ValueError."""
    written = text(cell)
    bare = re.sub(r"[.,]0+$", "", written)
    if not re.fullmatch(r"[0-9]{1,9}", bare):
        raise ValueError(f"{_short(written)} is no whole number")
    return int(bare)


def instant(cell: Cell, dates: str, zone: str) -> datetime:
    """A time or a day, at whose beginning it is then. Raises ValueError."""
    if isinstance(cell, datetime):
        found = cell
    elif isinstance(cell, date):
        found = datetime.combine(cell, time())
    else:
        found = _moment(text(cell), dates)
    return (found if found.tzinfo is not None else found.replace(tzinfo=time_zone(zone))).astimezone(UTC)


def day(cell: Cell, dates: str) -> str:
    """A day in ISO 8601. Raises ValueError."""
    if isinstance(cell, date):
        return (cell.date() if isinstance(cell, datetime) else cell).isoformat()
    return _moment(text(cell), dates).date().isoformat()


def time_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name[:40]!r} is no time zone such as Europe/Berlin") from None


def _moment(written: str, dates: str) -> datetime:
    try:
        return datetime.fromisoformat(re.sub(r" (UTC|GMT|Z)$", "+00:00", re.sub(r" ([+-]\d{4})$", r"\1", written)))
    except ValueError:
        pass
    found = _DAY.fullmatch(written)
    if found is None:
        raise ValueError(f"{_short(written)} is no day or time in a usual form")
    parts, clock = found.groups()[:3], found[4]
    order = _order(parts, dates, written)
    year, month, number = (int(parts[place]) for place in order)
    year += 2000 if len(parts[order[0]]) == 2 else 0
    try:
        return datetime.combine(date(year, month, number), _clock(clock, written))
    except ValueError:
        raise ValueError(f"{_short(written)} is no day or time that there is") from None


def _order(parts: tuple[str, ...], dates: str, written: str) -> tuple[int, int, int]:
    if len(parts[0]) == 4:
        return _ORDERS["ymd"]
    if dates in _ORDERS and dates != "ymd":
        return _ORDERS[dates]
    if "." in written:
        return _ORDERS["dmy"]  # nobody writes it otherwise with points
    raise ValueError(f"{_short(written)} can be read in two ways: say dates=dmy or dates=mdy")


def _clock(written: str | None, whole_text: str) -> time:
    if not written:
        return time()
    found = _TIME.fullmatch(written.strip())
    if found is None:
        raise ValueError(f"{_short(whole_text)} has no time that can be read")
    hour = int(found[1])
    if found[4]:
        hour = hour % 12 + (12 if found[4].lower() == "pm" else 0)
    return time(hour, int(found[2]), int(found[3] or 0))


_YES = {"yes", "y", "true", "1", "x", "ja", "是", "有"}
_NO = {"no", "n", "false", "0", "", "-", "nein", "否", "无"}


def flag(cell: Cell) -> bool:
    """Raises ValueError for what is neither yes nor no."""
    word = text(cell).casefold()
    if word not in _YES | _NO:
        raise ValueError(f"{_short(word)} is neither yes nor no")
    return word in _YES


_PAYMENTS: Mapping[str, str] = {
    **dict.fromkeys(("paid", "captured", "complete", "completed", "bezahlt", "已付款", "已支付", "买家已付款"), "PAID"),
    **dict.fromkeys(
        ("pending", "unpaid", "open", "awaiting payment", "offen", "未付款", "待付款", "未支付"), "PENDING"
    ),
    **dict.fromkeys(("authorized", "authorised", "autorisiert"), "AUTHORISED"),
    **dict.fromkeys(("partially paid", "partly paid", "teilweise bezahlt", "部分付款"), "PARTLY_PAID"),
    **dict.fromkeys(("partially refunded", "partly refunded", "teilweise erstattet", "部分退款"), "PARTLY_REFUNDED"),
    **dict.fromkeys(("refunded", "erstattet", "已退款"), "REFUNDED"),
    **dict.fromkeys(("failed", "voided", "declined", "fehlgeschlagen", "支付失败"), "FAILED"),
    **dict.fromkeys(_YES, "PAID"),
    **dict.fromkeys(_NO - {""}, "PENDING"),
}


def payment(cell: Cell) -> str:
    """The name of a payment state. Raises ValueError."""
    word = text(cell).casefold().replace("_", " ")
    if word not in _PAYMENTS:
        raise ValueError(f"{_short(word)} is no state of a payment such as paid, pending or refunded")
    return _PAYMENTS[word]


_COUNTRIES = """
    DE Germany Deutschland 德国 | AT Austria Österreich 奥地利 | CH Switzerland Schweiz 瑞士
    FR France Frankreich 法国 | GB United_Kingdom Großbritannien Vereinigtes_Königreich Great_Britain England 英国
    IE Ireland Irland 爱尔兰 | NL Netherlands Niederlande 荷兰 | BE Belgium Belgien 比利时
    LU Luxembourg Luxemburg 卢森堡 | IT Italy Italien 意大利 | ES Spain Spanien 西班牙 | PT Portugal 葡萄牙
    DK Denmark Dänemark 丹麦 | SE Sweden Schweden 瑞典 | NO Norway Norwegen 挪威 | FI Finland Finnland 芬兰
    PL Poland Polen 波兰 | CZ Czechia Tschechien Czech_Republic 捷克 | SK Slovakia Slowakei 斯洛伐克
    HU Hungary Ungarn 匈牙利 | RO Romania Rumänien 罗马尼亚 | GR Greece Griechenland 希腊
    US United_States USA Vereinigte_Staaten United_States_of_America 美国 | CA Canada Kanada 加拿大
    MX Mexico Mexiko 墨西哥 | BR Brazil Brasilien 巴西 | AU Australia Australien 澳大利亚
    NZ New_Zealand Neuseeland 新西兰 | CN China 中国 | HK Hong_Kong Hongkong 香港 中国香港 | TW Taiwan 台湾 中国台湾
    JP Japan 日本 | KR South_Korea Südkorea 韩国 | SG Singapore Singapur 新加坡 | MY Malaysia 马来西亚
    TH Thailand 泰国 | VN Vietnam 越南 | ID Indonesia Indonesien 印度尼西亚 | PH Philippines Philippinen 菲律宾
    IN India Indien 印度 | AE United_Arab_Emirates Vereinigte_Arabische_Emirate 阿联酋
    SA Saudi_Arabia Saudi-Arabien 沙特阿拉伯 | IL Israel 以色列 | TR Turkey Türkei 土耳其
    RU Russia Russland 俄罗斯 | UA Ukraine 乌克兰 | ZA South_Africa Südafrika 南非
"""
_CODES = {
    name.replace("_", " ").casefold(): words[0]
    for entry in re.split(r"[|\n]", _COUNTRIES)
    if (words := entry.split())
    for name in words[1:]
}


def country(cell: Cell) -> str:
    """A code, also where the country's name is written; what is neither stays, and the order waits for it."""
    written = text(cell)
    return _CODES.get(written.casefold(), written.upper() if len(written) == 2 else written)


def _short(written: str) -> str:
    return repr(written[:40])
