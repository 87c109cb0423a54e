"""A message in words, and whom it goes to: what is handed to a sender."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from adapters.messages.layout import lay_out
from ledger.nouns.messages import Audience
from ledger.terms.brands import Brand


class Erased(Exception):
    """The person whom it is for, or about, was erased."""


class Envelope(NamedTuple):
    """A letter and whom it goes to; the only place where both stand in plain."""

    message_id: str
    audience: Audience
    recipient: str
    """The pseudonym, supplier id or role that the message names."""
    name: str
    email: str
    phone: str
    language: str
    subject: str
    text: str
    attachments: tuple[tuple[str, bytes], ...] = ()
    """Files by name, which ends in .pdf or .png as they are."""
    html: str = ""
    """The same as ``text``, as a page whose styles stand in its elements."""
    brand: Brand = Brand()
    """Whom it comes from: ``brand.name`` and ``brand.mail_from``, answers to ``brand.reply_to``; empty if not said."""
    body: str = ""
    """What text and HTML were made from; ``together`` makes one mail of several."""
    mail_id: str = ""
    """Of the mail that it goes out in: the same if it goes out again, and nobody can guess it."""
    thread_id: str = ""
    """Of all mails to this recipient about the same."""
    at: datetime | None = None
    """When it goes out."""


def together(letters: Sequence[Envelope]) -> Envelope:
    """One mail to the recipient of all of them, in their order: named and addressed as the last one."""
    last = letters[-1]
    bodies = [letters[0].body, *(_without_greeting(each.body, letters[0].body) for each in letters[1:])]
    text, html = lay_out(bodies, last.brand, last.language, last.subject)
    attached = dict(file for each in letters for file in each.attachments)
    return last._replace(text=text, html=html, attachments=tuple(attached.items()))


def _without_greeting(body: str, first: str) -> str:
    """Without its second paragraph, if it greets as the first body does: nobody is greeted twice in one mail."""
    paragraphs, greeting = _PARAGRAPHS.split(body), _PARAGRAPHS.split(first)[1:2]
    return "\n\n".join([paragraphs[0], *paragraphs[2:]]) if paragraphs[1:2] == greeting and greeting else body


_PARAGRAPHS = re.compile(r"\n{2,}")
