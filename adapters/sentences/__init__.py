"""What a fact says, as a sentence for people, in their language and their time zone.

``words/en.toml`` and ``words/zh.toml`` have a template for each fact. ``{field}`` is a field of the fact as people read
it, ``[...]`` stands only where all fields in it say something, ``[?field:...]`` where that field does, and
``[!field:...]`` where it does not. What a field holds that has fields itself is told by the template of its class.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from operator import attrgetter
from typing import Any, NamedTuple

from adapters.messages.words import carrier_name
from ledger.facts import Fact, Sealed, Value, to_minute
from ledger.terms import time_zones
from ledger.terms.money import Money, amount

LANGUAGES = ("en", "zh")

_FIELD = re.compile(r"\{([\w.]+)\}")
_OPTIONAL = re.compile(r"\[(?:([?!])([\w.]+):)?([^\]]*)\]")
_ENDS = re.compile(r"[;；.。\s]*$")
_BETWEEN_HANZI = re.compile(r"(?<=[\u3400-\u9fff：，。、；（）“”]) +(?=[\u3400-\u9fff：，。、；（）“”])")
_CODED = frozenset({"about", "because", "by", "channel", "clock", "holds", "how", "language", "lacking", "missing"})
_CODED |= {"odd", "owner", "packed_with", "packing", "reason", "status", "topic", "wanted", "warnings"}
"""Fields that may hold a word of the ledger, such as ``changed_mind``, as well as what somebody wrote."""
_PARCELS = frozenset({"left_as", "goes_on_as", "not_as"})
"""Fields with a carrier and a number."""
_CODE = re.compile(r"[a-z]+(?:_[a-z0-9]+)*")


class SentenceReader(NamedTuple):
    """For whom a sentence is: language and zone, and by which names things are known there."""

    language: str = "en"
    zone: str = ""
    suppliers: Mapping[str, str] = {}
    """The names of suppliers by their ids."""
    skus: Mapping[int, str] = {}
    """What stands on the lines of the order, by their numbers."""
    currency: str = ""
    """Of amounts that a fact gives without one."""

    def phrase(self, name: str, /, **values: object) -> str:
        return catalogue(self.language)["phrases"][name].format(**values)

    def word(self, word: str) -> str:
        """A word of the ledger; some mean another thing in one place than elsewhere."""
        words = catalogue(self.language).get("values", {})
        return words.get(f"{type(word).__name__}.{word}") or words.get(word) or str(word).replace("_", " ")

    def moment(self, at: datetime) -> str:
        """In the reader's zone and in UTC, or in UTC alone."""
        if self.zone in ("", "UTC"):
            return to_minute(at)
        there, utc = at.astimezone(time_zones.zone(self.zone)), at.astimezone(UTC)
        in_utc = f"{utc:%H:%M}Z" if there.date() == utc.date() else to_minute(utc)
        return f"{there:%Y-%m-%d %H:%M} {self.zone} ({in_utc})"

    def money(self, amount_minor: int, currency: str = "") -> str:
        currency = currency or self.currency
        return f"{amount(amount_minor, currency)} {currency}".rstrip()

    def supplier(self, supplier_id: str) -> str:
        name = self.suppliers.get(supplier_id, supplier_id)
        return supplier_id if name == supplier_id else self.phrase("named", name=name, id=supplier_id)

    def carrier(self, name: str) -> str:
        return catalogue(self.language).get("carriers", {}).get(name) or carrier_name(name)


@cache
def catalogue(language: str) -> Mapping[str, Mapping[str, str]]:
    """The templates and words of a language."""
    return tomllib.loads(files("adapters.sentences").joinpath("words", f"{language}.toml").read_text(encoding="utf-8"))


_ANYBODY = SentenceReader()


def sentence(fact: Fact, reader: SentenceReader = _ANYBODY) -> str:
    """What a fact says."""
    template = catalogue(reader.language)["facts"][fact.fact_name()]
    told = _Telling(reader, str(getattr(fact, "currency", ""))).filled(template, fact)
    return _ENDS.sub("。" if reader.language == "zh" else ".", _BETWEEN_HANZI.sub("", told), count=1)


def value_in_words(name: str, value: Any, reader: SentenceReader) -> str:
    """What a field of this name holds, as people read it."""
    return _Telling(reader, "").text(name, value)


def with_text(text: str, note: str) -> str:
    """The sentence with what somebody wrote."""
    if text.endswith("。"):
        return f"{text[:-1]}：{note}"
    return f"{text.removesuffix('.')}: {note}"


def sealed_in(fact: Fact) -> tuple[Sealed, str] | None:
    """What somebody wrote, of a fact that carries it, and what for."""
    for path in ("note", "text", "hold.note", "because", "outcome", "checkpoint.message"):
        try:
            found = attrgetter(path)(fact)
        except AttributeError:
            continue
        if isinstance(found, Sealed):
            return found, path.rpartition(".")[2]
    return None


class _Telling(NamedTuple):
    """Fills templates for a reader."""

    reader: SentenceReader
    currency: str

    def filled(self, template: str, holder: Value) -> str:
        def optional(found: re.Match[str]) -> str:
            named = [found[2]] if found[2] else _FIELD.findall(found[3])
            says = all(_says(holder, path) and self.field(holder, path) for path in named)
            return found[3] if says is (found[1] != "!") else ""

        return _FIELD.sub(lambda found: self.field(holder, found[1]), _OPTIONAL.sub(optional, template))

    def field(self, holder: Value, path: str) -> str:
        if path == "place":  # of what is counted from 0
            return str(getattr(holder, "index") + 1)  # noqa: B009
        return self.text(path.rpartition(".")[2], attrgetter(path)(holder))

    def text(self, name: str, value: Any) -> str:
        reader = self.reader
        match value:
            case None | False | Sealed():
                return ""
            case True:
                return reader.word(name)
            case datetime():
                return reader.moment(value)
            case date():
                return value.isoformat()
            case Money():
                return reader.money(value.amount_minor, value.currency)
            case StrEnum():
                return reader.word(value)
            case Value():
                return self.filled(catalogue(reader.language)["parts"][type(value).__name__], value).strip(" ,，")
            case int() if name.endswith("_minor"):
                return reader.money(value, self.currency)
            case str():
                return self.said(name, value)
            case tuple() | list():
                joined = reader.phrase("and" if name in ("lines", "costs") else "list")
                return joined.join(filter(None, (self.text(name, each) for each in value)))
            case Mapping():
                return self.mapped(name, value)
            case _:
                return str(value)

    def said(self, name: str, value: str) -> str:
        if name == "supplier_id":
            return self.reader.supplier(value)
        if name == "carrier":
            return self.reader.carrier(value)
        if name in _PARCELS:
            carrier, _, number = value.partition(" ")
            return f"{self.reader.carrier(carrier)} {number}".rstrip()
        return self.reader.word(value) if name in _CODED and _CODE.fullmatch(value) else value

    def mapped(self, name: str, values: Mapping[Any, Any]) -> str:
        """Units or others by line; an amount stands for the order as a whole."""
        if name.endswith("_minor"):
            return self.reader.money(sum(values.values()), self.currency)
        return self.reader.phrase("and").join(self.of(key, each) for key, each in values.items())

    def of(self, key: int | str, value: Any) -> str:
        phrase, sku = self.reader.phrase, self.reader.skus.get(key, "") if isinstance(key, int) else ""
        match key, value:
            case int(), int() if sku:
                return phrase("of_sku", count=value, sku=sku, line=key)
            case int(), int():
                return phrase("unit" if value == 1 else "units", count=value, line=key)
            case int(), str():
                return phrase("for_line", what=self.reader.supplier(value), line=key)
            case int(), _ if sku:
                return phrase("of_line_sku", what=self.text("", value), sku=sku, line=key)
            case int(), _:
                return phrase("of_line", what=self.text("", value), line=key)
            case _, int():
                return phrase("of_count", count=value, sku=key)
            case _:
                return f"{self.reader.supplier(str(key))}: {self.reader.word(str(value))}"


def _says(holder: Value, path: str) -> bool:
    """Nothing is said by what is not there, nor by no units of a part and no money."""
    if path == "place":
        return True
    try:
        value = attrgetter(path)(holder)
    except AttributeError:
        return False
    is_count = path.endswith("_minor") or not isinstance(holder, Fact)
    return not (value is None or (is_count and value == 0 and not isinstance(value, bool)))
