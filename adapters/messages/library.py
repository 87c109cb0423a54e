"""The templates that the service comes with, and which one a message is written by.

Each is a file ``templates/LANGUAGE/KIND.VERSION.txt``: a line ``Subject: ...``, an empty line, and the body. A changed
one is a new file with the next version; the old one stays, because messages name the version that they were asked with.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from ledger.nouns import templates
from ledger.nouns.messages import MessageAsked, MessageKind
from ledger.view import View

BuiltIn = Mapping[tuple[MessageKind, str, int], "TemplateSource"]


class TemplateSource(NamedTuple):
    """A template as it was written."""

    subject: str
    body: str


@cache
def built_in() -> BuiltIn:
    """Every version of every template that the service comes with, by kind, language and version."""
    found = {}
    for folder in files("adapters").joinpath("templates").iterdir():
        for file in folder.iterdir():
            kind, version, _ = file.name.split(".")
            head, _, body = file.read_text(encoding="utf-8").partition("\n\n")
            found[MessageKind(kind), folder.name, int(version)] = TemplateSource(head.removeprefix("Subject: "), body)
    return found


@cache
def newest() -> dict[tuple[MessageKind, str], int]:
    """The version that new messages are asked with, where the retailer wrote none."""
    versions: dict[tuple[MessageKind, str], int] = {}
    for kind, language, version in built_in():
        versions[kind, language] = max(version, versions.get((kind, language), 0))
    return versions


def source_of(view: View, asked: MessageAsked) -> TemplateSource:
    """The version that the message was asked with; raises KeyError where there is none."""
    if not asked.own_template:
        return built_in()[asked.kind, asked.language, asked.template_version]
    known = templates.find(view, asked.kind)
    own = known.version(asked.language, asked.template_version) if known is not None else None
    if own is None:
        raise KeyError(f"own template {asked.kind} {asked.language} {asked.template_version}")
    return TemplateSource(own.subject, own.body)
