"""Mails: letters as RFC 5322 wants them, with what an answer, a repetition and a bounce are recognised by."""

from __future__ import annotations

from email.headerregistry import Address, Group
from email.message import EmailMessage
from email.policy import SMTP
from typing import NamedTuple

from adapters.mail.addresses import addresses_in
from adapters.messages.envelope import Envelope
from ledger.nouns.messages import Audience
from ledger.terms.brands import Brand

_SEVEN_BIT = SMTP.clone(cte_type="7bit")
"""Every server takes it, and none has to change it on the way."""


class NotTaken(Exception):
    """The sender did not take the letter; ``error`` is a word for why, without personal data."""

    def __init__(self, error: str, *, lasting: bool = False, answer: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.lasting = lasting
        """Whether trying again is of no use."""
        self.answer = answer
        """What the other side said, without personal data."""


class Mails(NamedTuple):
    """Writes mails."""

    sender: Address = Address("Fulfilment", "noreply", "fulfilment.invalid")
    """Whom mails come from, unless the brand has an address of its own. Its domain makes all ids unique."""

    def written(self, letter: Envelope) -> EmailMessage:
        """The mail of a letter; raises NotTaken where no mail can reach whom it is for."""
        mail = EmailMessage(policy=_SEVEN_BIT)
        mail["From"] = self._from(letter.brand)
        mail["To"] = _recipient(letter)
        if letter.brand.reply_to:
            mail["Reply-To"] = Address(addr_spec=letter.brand.reply_to)
        mail["Subject"] = " ".join(letter.subject.split())
        mail["Date"] = letter.at
        mail["Message-ID"] = self._id(letter.mail_id)
        if letter.thread_id:
            # No mail has this id: all mails about an order answer to it, and are shown together from the first on.
            mail["In-Reply-To"] = mail["References"] = self._id(letter.thread_id)
        # Neither a holiday notice nor another machine is to answer.
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "OOF, AutoReply"
        mail.set_content(letter.text)
        if letter.html:
            mail.add_alternative(letter.html, subtype="html")
        for name, data in letter.attachments:
            maintype, subtype = ("image", "png") if name.endswith(".png") else ("application", "pdf")
            mail.add_attachment(data, maintype=maintype, subtype=subtype, filename=name)
        mail["Content-Language"] = letter.language  # last, because new parts take such headers with them
        return mail

    def _from(self, brand: Brand) -> Address:
        name = " ".join(brand.name.split()) or self.sender.display_name
        return Address(name if name.isprintable() else "", addr_spec=brand.mail_from or self.sender.addr_spec)

    def _id(self, name: str) -> str:
        return f"<{name}@{self.sender.domain}>"


def _recipient(letter: Envelope) -> Address | Group:
    """Whom the mail is for; raises NotTaken where no mail can reach them, which trying again does not change.

    Staff without an address is a group named by its role.
    """
    found = addresses_in(letter.email)
    if not found and letter.audience is Audience.STAFF:
        return Group(letter.recipient)
    if not found:
        raise NotTaken("unusable_email_address" if "@" in letter.email else "no_email_address", lasting=True)
    if len(found) > 1 and letter.audience is Audience.CUSTOMER:
        raise NotTaken("several_email_addresses", lasting=True)
    name = " ".join(letter.name.split())
    return Address(name if name.isprintable() else "", addr_spec=found[0])
