"""Adding evidence: what it can be, and how its bytes are kept before the fact that names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from adapters import evidence
from adapters.rpc.commands import Ask, Edge
from adapters.rpc.faults import require
from adapters.rpc.shapes import enum, happened, plain_id
from adapters.streams import read
from fulfilment.v1 import cases_pb2 as pb
from fulfilment.v1 import common_pb2
from ledger.decisions import after_sales, retention
from ledger.engine.log import Log
from ledger.facts import Change
from ledger.nouns import cases
from ledger.nouns.cases import Case, LabelFile
from ledger.refusals import EvidenceNotKept
from ledger.terms.parties import Party
from ledger.terms.retention import EVIDENCE_KEYS
from ledger.view import View

MOST_EVIDENCE_BYTES = 8 * 1024 * 1024
MOST_LABEL_BYTES = 1024 * 1024
"""It goes by mail, and a page in print is much smaller."""
CONTENT_TYPES: dict[int, str] = {
    pb.EVIDENCE_TYPE_JPEG: "image/jpeg",
    pb.EVIDENCE_TYPE_PNG: "image/png",
    pb.EVIDENCE_TYPE_WEBP: "image/webp",
    pb.EVIDENCE_TYPE_PDF: "application/pdf",
    pb.EVIDENCE_TYPE_MP4: "video/mp4",
    pb.EVIDENCE_TYPE_HEIC: "image/heic",
}
"""What evidence can be."""
_BEGINS: dict[str, re.Pattern[bytes]] = {
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "application/pdf": re.compile(rb"%PDF-\d"),
    "video/mp4": re.compile(rb"....ftyp(?:isom|iso[2-9]|mp4[12]|avc1|M4V |MSNV|dash|qt  )", re.DOTALL),
    "image/heic": re.compile(rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL),
}
"""How files of each type begin."""
_PHOTOGRAPHED = ("image/jpeg", "image/png", "image/heic", "image/webp", "application/pdf")
"""What customers send of themselves."""
_PRINTED = ("application/pdf", "image/png")
"""What a label can be."""

_party = enum(common_pb2.Party, Party)


def add_evidence(request: pb.AddEvidenceRequest, edge: Edge) -> Ask:
    case_id, at, data = plain_id(request.case_id, "case_id"), happened(request, edge.now), request.data
    require(0 < len(data) <= MOST_EVIDENCE_BYTES, "data", f"{len(data)} bytes, 1 to {MOST_EVIDENCE_BYTES} are taken")
    content_type = CONTENT_TYPES.get(request.type, "")
    require(bool(content_type), "type", f"is required: one of {', '.join(pb.EvidenceType.keys()[1:])}")
    require(_BEGINS[content_type].match(data) is not None, "data", f"does not begin as {content_type} does")
    given_by = _party(request.given_by, "given_by") if request.given_by else Party.CUSTOMER
    added = cases.EvidenceAdded(case_id, evidence.hash_of(data), content_type, len(data), given_by, at)

    stored = Storing(case_id, added.sha256, data, edge, full=cases.is_full)

    def decide(view: View) -> Sequence[Change]:
        changes = after_sales.add_evidence(view, added, edge.now)
        stored.require(view)
        return changes

    def whose(view: View) -> str:
        return evidence.subject_of(cases.known(cases.find(view, case_id), case_id))

    noted = retention.noting(decide, [EVIDENCE_KEYS], whose, edge.now)
    return Ask(noted, (cases.stream(case_id),), before=stored.keep)


def type_of(data: bytes) -> Any:
    """What a customer's file is, by how it begins and not by its name; None for what is not taken."""
    kinds = {name: number for number, name in CONTENT_TYPES.items() if name in _PHOTOGRAPHED}
    return next((number for name, number in kinds.items() if _BEGINS[name].match(data)), None)


def label_file(data: bytes) -> LabelFile | None:
    """A label to print; None if there is none."""
    if not data:
        return None
    require(len(data) <= MOST_LABEL_BYTES, "file", f"{len(data)} bytes, {MOST_LABEL_BYTES} at most")
    content_type = next((name for name in _PRINTED if _BEGINS[name].match(data)), "")
    require(bool(content_type), "file", f"is neither {' nor '.join(_PRINTED)}")
    return LabelFile(evidence.hash_of(data), content_type, len(data))


class Storing:
    """Bytes that belong to a case, kept before the fact that names them."""

    def __init__(
        self, case_id: str, sha256: str, data: bytes, edge: Edge, full: Callable[[Case], bool] = lambda case: False
    ) -> None:
        """Of a case that is full nothing is kept: the command will be refused."""
        self._case_id, self._sha256, self._data, self._edge = case_id, sha256, data, edge
        self._full = full
        self._kept = False

    async def keep(self, log: Log) -> None:
        """For an unknown case nothing is kept: the command will be refused."""
        view, _ = await read(log, [cases.stream(self._case_id)])
        case = cases.find(view, self._case_id)
        if case is not None and not self._full(case):
            kept = evidence.Kept(self._sha256, evidence.subject_of(case))
            await evidence.keep(log, self._edge.sealer, kept, self._data)
            self._kept = True

    def require(self, view: View) -> None:
        if cases.find(view, self._case_id) is not None and not self._kept:
            raise EvidenceNotKept(self._case_id)
