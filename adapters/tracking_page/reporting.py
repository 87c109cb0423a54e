"""A report of a problem: what the form says, checked, and the commands that it becomes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from adapters.rpc.cases.evidence import MOST_EVIDENCE_BYTES, type_of
from adapters.rpc.shows import number_of
from adapters.tracking_page.forms import Form, Upload
from adapters.tracking_page.story import ShownGoods, Story
from adapters.tracking_page.wording import PageWords
from fulfilment.v1 import cases_pb2, common_pb2
from ledger.facts import Units
from ledger.nouns.cases import Reason

_reason_number = number_of(cases_pb2.CaseReason)
MOST_FILES = 5
MOST_NOTE = 2000


class FormError(NamedTuple):
    """What is to be mended, and where."""

    field: str
    text: str


class Given(NamedTuple):
    """What was filled in, to be shown again."""

    kind: str = ""
    units: Mapping[str, str] = {}
    note: str = ""


class ProblemReport(NamedTuple):
    """A report that can be recorded."""

    reason: Reason
    by_line: Units
    note: str
    files: Sequence[Upload]


def new_form() -> str:
    """What makes a form one of its own: whatever is sent with it again is the same report."""
    return os.urandom(12).hex()


def lines_of(story: Story) -> list[ShownGoods]:
    """The goods that anything can be reported of, with the most units."""
    most: Units = {}
    for by_line in story.reportable.values():
        for line_no, units in by_line.items():
            most[line_no] = max(units, most.get(line_no, 0))
    return [ShownGoods(line_no, units, story.names[line_no]) for line_no, units in sorted(most.items())]


def given_in(form: Form) -> Given:
    units = {name: value.strip() for name, value in form.fields.items() if name.startswith("units-")}
    return Given(form.fields.get("kind", ""), units, form.text("note"))


def checked(story: Story, form: Form, words: PageWords) -> ProblemReport | list[FormError]:
    """The report, or all that is wrong with it."""
    given, errors = given_in(form), list[FormError]()
    reason = next((each for each in story.reportable if each == given.kind), None)
    if reason is None:
        errors.append(FormError("kind", words("problem.no_kind")))
    by_line: Units = {}
    for each in lines_of(story):
        told = given.units.get(f"units-{each.line_no}", "") or "0"
        if not (told.isascii() and told.isdecimal() and int(told[:9]) <= each.units):
            errors.append(FormError("lines", words("problem.bad_units", goods=each.name, n=each.units)))
        elif int(told):
            by_line[each.line_no] = int(told)
    if not by_line and not any(each.field == "lines" for each in errors):
        errors.append(FormError("lines", words("problem.no_lines")))
    elif reason is not None:
        errors += _unfit(story, reason, by_line, words)
    if len(given.note) > MOST_NOTE:
        errors.append(FormError("note", words("problem.long_note")))
    errors += bad_files(form.files, words)
    if errors or reason is None:
        return errors
    return ProblemReport(reason, by_line, given.note, form.files)


def _unfit(story: Story, reason: Reason, by_line: Units, words: PageWords) -> Iterator[FormError]:
    """Goods that the reason cannot be about: they have not arrived, or have, or were reported already."""
    free = story.reportable[reason]
    names = [each.name for each in lines_of(story) if by_line.get(each.line_no, 0) > free.get(each.line_no, 0)]
    if names:
        yield FormError("lines", words("problem.not_for_these", goods="; ".join(names)))


def bad_files(files: Sequence[Upload], words: PageWords) -> Iterator[FormError]:
    if len(files) > MOST_FILES:
        yield FormError("photos", words("problem.many_files"))
    for each in files:
        if len(each.data) > MOST_EVIDENCE_BYTES:
            yield FormError("photos", words("problem.large_file", name=each.name))
        elif type_of(each.data) is None:
            yield FormError("photos", words("problem.bad_file", name=each.name))


def opening(story: Story, report: ProblemReport, request_id: str) -> cases_pb2.OpenCaseRequest:
    return cases_pb2.OpenCaseRequest(
        context=_context(request_id),
        order_id=story.order_id,
        reason=_reason_number(report.reason),
        lines=[common_pb2.LineUnits(line_no=line_no, units=units) for line_no, units in report.by_line.items()],
        note=report.note,
    )


def evidence(case_id: str, files: Sequence[Upload], request_id: str) -> Iterator[cases_pb2.AddEvidenceRequest]:
    """As many of them as are evidence."""
    for number, each in enumerate(files, 1):
        if len(each.data) > MOST_EVIDENCE_BYTES or (kind := type_of(each.data)) is None:
            continue
        yield cases_pb2.AddEvidenceRequest(
            context=_context(f"{request_id}/{number}"),
            case_id=case_id,
            type=kind,
            data=each.data,
            given_by=common_pb2.PARTY_CUSTOMER,
        )


def _context(request_id: str) -> Any:
    return common_pb2.CommandContext(request_id=request_id, actor="customer")
