"""What a browser sends of a form, read in memory: files of people never touch the disk in plain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl

_BOUNDARY = re.compile(r'multipart/form-data\s*;\s*boundary="?([^";\r\n]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'\bname="([^"\r\n]{1,200})"')
_FILE_NAME = re.compile(rb'\bfilename="([^"\r\n]*)"')
_MOST_FIELDS = 1200
"""The largest order has 1,000 lines."""
_LONGEST_NAME = 100


class BadForm(Exception):
    """It is no form, or none that a browser makes."""


class Upload(NamedTuple):
    """A file."""

    name: str
    data: bytes


class Form(NamedTuple):
    """What was filled in: of a field that comes twice the first, and the files in their order."""

    fields: dict[str, str]
    files: tuple[Upload, ...] = ()

    def text(self, name: str) -> str:
        """A field as it was typed, in lines that end as everywhere and without characters that nobody types."""
        lines = self.fields.get(name, "").replace("\r\n", "\n").replace("\r", "\n")
        return "".join(c for c in lines if c == "\n" or c.isprintable()).strip()


def form_of(content_type: str, body: bytes) -> Form:
    """Raises BadForm."""
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        return _encoded(body)
    boundary = _BOUNDARY.fullmatch(content_type.strip())
    if boundary is None:
        raise BadForm("neither of the two ways in which browsers send forms")
    return _in_parts(body, b"\r\n--" + boundary[1].encode())


def _encoded(body: bytes) -> Form:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadForm(str(error)) from error
    return Form(dict(reversed(pairs)))


def _in_parts(body: bytes, between: bytes) -> Form:
    body = b"\r\n" + body
    if body.count(between) > _MOST_FIELDS:
        raise BadForm("too many fields")
    _, *parts = body.split(between)
    if not parts or not parts[-1].startswith(b"--"):
        raise BadForm("it is cut off")
    fields: list[tuple[str, str]] = []
    files: list[Upload] = []
    for head, data in map(_parted, parts[:-1]):
        name, file_name = _NAME.search(head), _FILE_NAME.search(head)
        if name is None:
            raise BadForm("a field without a name")
        if file_name is None:
            fields.append((name[1].decode(errors="replace"), data.decode(errors="replace")))
        elif data or file_name[1]:
            files.append(Upload(_shown(file_name[1]), data))
    return Form(dict(reversed(fields)), tuple(files))


def _parted(part: bytes) -> tuple[bytes, bytes]:
    head, found, data = part.partition(b"\r\n\r\n")
    if not found or not part.startswith(b"\r\n"):
        raise BadForm("a field without a head")
    return head, data


def _shown(name: bytes) -> str:
    """A file's name as it can be shown to whoever sent it; it is kept nowhere."""
    return "".join(_printable(name.decode(errors="replace")))[:_LONGEST_NAME] or "?"


def _printable(text: str) -> Iterator[str]:
    return (c for c in text if c.isprintable())
