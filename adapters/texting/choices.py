"""Who wants no text messages: words that say so, and the numbers that are left alone, by keyed hashes."""

from __future__ import annotations

from adapters.streams import read
from ledger.engine.log import Log
from ledger.engine.sealing import TenantSealer
from ledger.nouns import text_choices
from ledger.nouns.text_choices import TextChoice

OPTED_OUT = "the customer wants no text messages"
_STOP = frozenset(
    [
        "STOP",
        "STOPALL",
        "STOPP",
        "UNSUBSCRIBE",
        "CANCEL",
        "END",
        "QUIT",
        "OPTOUT",
        "OPT-OUT",
        "REVOKE",
        "ARRET",
        "ARRÊT",
        "BAJA",
        "ALTO",
        "CANCELAR",
        "PARAR",
        "ABMELDEN",
        "TD",
        "T",
        "TDHF",
        "退订",
        "停止",
    ]
)
_START = frozenset(["START", "UNSTOP", "YES", "OPTIN", "OPT-IN", "SUBSCRIBE", "ANMELDEN", "ALTA", "订阅", "恢复"])
"""As Twilio takes them unless it is told others, and as people in the languages of texts write them."""
_AROUND = " \t\r\n.,;!?\"'«»“”。！？，"
_LONGEST = 40


def wants_none(text: str) -> bool | None:
    """Whether an answer to a text says that its writer wants no more; None if it says neither that nor the contrary."""
    word = text[:_LONGEST].strip(_AROUND).upper() if len(text) <= _LONGEST else ""
    return True if word in _STOP else False if word in _START else None


def number_hash(sealer: TenantSealer, phone: str) -> str:
    """What a number in E.164 is recognised by for good."""
    return sealer.lasting_hash(f"texts {phone}")


async def choice_of(log: Log, sealer: TenantSealer, phone: str) -> TextChoice | None:
    """What whoever has the number said; None if they never said anything."""
    known_as = number_hash(sealer, phone)
    view, _ = await read(log, [text_choices.stream(known_as)])
    return text_choices.find(view, known_as)
