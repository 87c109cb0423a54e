"""Lists: which page, which filters, and the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Any, TypeVar

from adapters.rpc.faults import checked, require
from adapters.rpc.shapes import count, instant
from adapters.rpc.windows import WindowAsked
from fulfilment.v1 import common_pb2
from ledger.engine.turns import in_turns
from ledger.refusals import Malformed
from projections.machine.reads import Answer, PageOf

E = TypeVar("E", bound=StrEnum)
M = TypeVar("M")
T = TypeVar("T")


def page(request: Any) -> PageOf:
    """Which page of a list is wanted, and of what; what is asked for beside it must stay the same from page to page."""
    changed_after = request.page.changed_after if request.page.HasField("changed_after") else None
    if changed_after is not None:
        require(changed_after >= 0, "page.changed_after", f"{changed_after} is below 0")
        require(
            _tells_changes(request), "page.changed_after", "is refused by this list, which does not tell what changed"
        )
    asked = type(request)()
    asked.CopyFrom(request)
    for field in {"page", "at_least"}.intersection(asked.DESCRIPTOR.fields_by_name):
        asked.ClearField(field)
    question = asked.DESCRIPTOR.name.encode() + b"\0" + asked.SerializeToString(deterministic=True)
    if changed_after is not None:
        question += b"\0changes"
    digest = blake2b(question, digest_size=6).hexdigest()
    _, token = _parts(request)
    wanted = PageOf(request.page.page_size, token, digest, changed_after)
    checked(lambda: wanted.limit)
    checked(lambda: wanted.begun if changed_after is not None else wanted.after(object))
    return wanted


def at_one_position(request: Any, answer: Any) -> None:
    """Makes a page tell the position of the first one, which its token carries on."""
    began_at, _ = _parts(request)
    if began_at:
        answer.position = int(began_at)
    if answer.next_page_token:
        answer.next_page_token = f"{answer.position}.{answer.next_page_token}"


_TOKEN = re.compile(r"(?:([0-9]{1,18})\.)?([^.]*)")
"""The position of the first page, and the token of the list; older versions gave the latter alone."""


def _parts(request: Any) -> tuple[str | None, str]:
    found = _TOKEN.fullmatch(request.page.page_token)
    if found is None:
        raise Malformed(("page.page_token", "is not a token that this list gave"))
    return found[1], found[2]


def _tells_changes(request: Any) -> bool:
    """Whether the answer has a place for what is gone."""
    name = request.DESCRIPTOR.name.removesuffix("Request") + "Response"
    answer = request.DESCRIPTOR.file.message_types_by_name.get(name)
    return answer is not None and "changes" in answer.fields_by_name


def listed(
    response: Callable[..., M],
    field: str,
    answer: Answer[T],
    show: Callable[[T], object],
    window: WindowAsked | None = None,
) -> M:
    """A page of a list: its rows in a field of the response, the token of the next page, the position, the window."""
    rows = {field: [show(each) for each in answer.rows]}
    about: dict[str, Any] = {"window": window.answered(answer.extent)} if window is not None else {}
    if answer.changes is not None:
        about["changes"] = common_pb2.ListChanges(until=answer.changes.until, gone=answer.changes.gone)
    return response(**rows, **about, next_page_token=answer.next_page_token, position=answer.position)


async def listed_in_turns(
    response: Callable[..., M],
    field: str,
    answer: Answer[T],
    show: Callable[[T], object],
    window: WindowAsked | None = None,
) -> M:
    """The same for rows that may each take milliseconds, such as orders of a thousand lines."""
    shown = [show(each) async for each in in_turns(answer.rows)]
    return listed(response, field, Answer(shown, *answer[1:]), lambda each: each, window)


def any_of(read: Callable[[int, str], E], values: Iterable[int], field: str) -> list[E]:
    """A filter by several members of an enum, each once; empty for none."""
    return list(dict.fromkeys(read(value, f"{field}[{index}]") for index, value in enumerate(values)))


def period(message: Any, within: str = "") -> tuple[datetime | None, datetime | None]:
    """From when until when, where either may be left out."""
    since, until = instant(message, f"{within}since"), instant(message, f"{within}until")
    require(since is None or until is None or since < until, f"{within}since", "is not before until")
    return since, until


_MOST_HOURS = 100_000


def due_until(message: Any, now: datetime) -> datetime | None:
    """Until when what is listed must be due, None if that does not matter; no hour at all is what is overdue."""
    if not message.HasField("due_within_hours"):
        return None
    return now + timedelta(hours=count(message.due_within_hours, "due_within_hours", 0, _MOST_HOURS))
