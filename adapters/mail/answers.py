"""What mail servers say, without the people that they quote: it is kept in plain."""

from __future__ import annotations

import re

from adapters.mail.addresses import addresses_in

_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")
_LONGEST_ANSWER, _LONGEST_SAID = 300, 1000
"""How much is kept, and looked at: looking for addresses takes the square of the length."""


def without_people(said: str, address: str = "", name: str = "") -> str:
    """What a mail server said, in one line, without the addresses in it and without the person that it may quote."""
    said = said[:_LONGEST_SAID].encode(errors="replace").decode()
    said = "".join(sign if sign.isprintable() else " " for sign in said)
    said = _ADDRESS.sub("…", " ".join(said.split()))
    for word in {*(each.partition("@")[0] for each in addresses_in(address)), *name.split()}:
        if len(word) > 1:
            said = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "…", said, flags=re.IGNORECASE)
    return said[:_LONGEST_ANSWER]
