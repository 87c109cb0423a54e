"""Templates of messages that the retailer wrote itself: one stream a kind, with all languages and versions.

Where it wrote none, the templates that the service comes with are used. What they say is checked before it gets here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.facts import Fact, Value
from ledger.nouns.messages import MessageKind
from ledger.refusals import NotFound
from ledger.view import View, noun


def stream(kind: str) -> str:
    return f"template-{kind}"


def find(view: View, kind: MessageKind) -> Templates | None:
    found: Templates | None = view.state(stream(kind))
    return found


# --- facts ----------------------------------------------------------------------------------------


class TemplateWritten(Fact, frozen=True, tag="template.written"):
    """From now on messages of this kind in this language are written by it."""

    kind: MessageKind
    language: str
    version: int
    """Counts the retailer's own, from 1, in each language."""
    subject: str
    body: str
    by: str
    at: datetime


class TemplateWithdrawn(Fact, frozen=True, tag="template.withdrawn"):
    """From now on the service's own template is used again. Versions stay, for the messages that they wrote."""

    kind: MessageKind
    language: str
    by: str
    at: datetime


TemplateFact = TemplateWritten | TemplateWithdrawn

# --- state ----------------------------------------------------------------------------------------


class Templates(Value, frozen=True):
    """The templates of one kind, folded from their facts."""

    versions: dict[str, tuple[TemplateWritten, ...]] = {}
    """By language, the oldest first."""
    withdrawn: frozenset[str] = frozenset()
    """The languages in which none of them is used."""

    def in_use(self, language: str) -> TemplateWritten | None:
        return None if language in self.withdrawn else next(reversed(self.versions.get(language, ())), None)

    def version(self, language: str, version: int) -> TemplateWritten | None:
        return next((each for each in self.versions.get(language, ()) if each.version == version), None)


def evolve(templates: Templates | None, fact: TemplateFact) -> Templates:
    known = templates or Templates()
    if isinstance(fact, TemplateWithdrawn):
        return Templates(known.versions, known.withdrawn | {fact.language})
    versions = {**known.versions, fact.language: (*known.versions.get(fact.language, ()), fact)}
    return Templates(versions, known.withdrawn - {fact.language})


NOUN = noun("template", TemplateFact, evolve)

# --- refusals -------------------------------------------------------------------------------------


class UnknownTemplate(NotFound, reason="UNKNOWN_TEMPLATE"):
    says = "there is no version {version} of the template {kind} in {language}"
    kind: str
    language: str
    version: int


# --- decisions ------------------------------------------------------------------------------------


def write(templates: Templates | None, written: TemplateWritten) -> Sequence[TemplateFact]:
    """A template is used from now on. The one that is in use already records nothing."""
    known = templates or Templates()
    present = known.in_use(written.language)
    if present is not None and (present.subject, present.body) == (written.subject, written.body):
        return []
    version = len(known.versions.get(written.language, ())) + 1
    return [
        TemplateWritten(
            kind=written.kind,
            language=written.language,
            version=version,
            subject=written.subject,
            body=written.body,
            by=written.by,
            at=written.at,
        )
    ]


def withdraw(templates: Templates | None, withdrawn: TemplateWithdrawn) -> Sequence[TemplateFact]:
    """The service's own template is used again; where it is already, nothing is recorded."""
    return [withdrawn] if templates is not None and templates.in_use(withdrawn.language) is not None else []
