"""All that is kept of a person, as one JSON document with its files beside it: whole, or not there at all."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from adapters.console.terminal import words
from adapters.console.terminal.client import Trouble
from fulfilment.v1 import audit_pb2, cases_pb2

_SUFFIXES: Mapping[int, str] = {
    cases_pb2.EVIDENCE_TYPE_JPEG: ".jpg",
    cases_pb2.EVIDENCE_TYPE_PNG: ".png",
    cases_pb2.EVIDENCE_TYPE_WEBP: ".webp",
    cases_pb2.EVIDENCE_TYPE_HEIC: ".heic",
    cases_pb2.EVIDENCE_TYPE_PDF: ".pdf",
    cases_pb2.EVIDENCE_TYPE_MP4: ".mp4",
}


class PersonFile:
    """Writes the parts of an export as they come, for the owner of the files alone.

    The document is ``{"person": ..., "records": [{"order": ...}, ...], "counts": ...}``. Used as a context, it removes
    all that it wrote where the export did not come to its end.
    """

    def __init__(self, path: Path, files: Path | None) -> None:
        self.counts: audit_pb2.ExportedCounts | None = None
        self.orders = 0
        self._path, self._files = path, files
        self._draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._written: list[Path] = []
        self._bytes: BinaryIO | None = None
        self._body = bytearray()
        self._reception: dict[str, Any] | None = None
        self._separator = ""

    def __enter__(self) -> PersonFile:
        if self._files is not None:
            self._files.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._document = _private(self._draft)
        self._written.append(self._draft)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close_file()
        self._document.close()
        if kind is None and self.counts is not None:
            self._draft.replace(self._path)
            return
        for path in self._written:
            with suppress(OSError):
                path.unlink()
        if kind is None:
            raise Trouble("the export broke off; nothing was written, so ask again", "INCOMPLETE")

    def write(self, parts: Iterable[audit_pb2.ExportPersonResponse], progress: Callable[[int, int], None]) -> None:
        known = 0
        for part in parts:
            match part.WhichOneof("part"):
                case "person":
                    known = len(part.person.order_ids)
                    self._say(f'{{\n"person": {_text(words.as_json(part.person))},\n"records": [')
                case "file":
                    self._file(part.file)
                case "reception":
                    self._told(part.reception)
                case "counts":
                    self._end_body()
                    self.counts = part.counts
                    self._say(f'\n],\n"counts": {_text(words.as_json(part.counts))}\n}}\n')
                case str(kind):
                    if kind == "order":
                        self.orders += 1
                        progress(self.orders, known)
                    self._record({kind: words.as_json(getattr(part, kind), empty=False)})
                case None:
                    pass  # of a later version of the service

    def _record(self, record: Mapping[str, Any]) -> None:
        self._end_body()
        self._say(f"{self._separator}\n{_text(record)}")
        self._separator = ","

    def _say(self, text: str) -> None:
        self._document.write(text.encode())

    # --- files ---

    def _file(self, part: audit_pb2.ExportedFile) -> None:
        """A piece with a case begins a file, one without goes on with it."""
        if part.case_id:
            self._close_file()
            shown = words.as_json(part, empty=False)
            shown.pop("data", None)
            if part.data and self._files is not None:
                name = f"{part.case_id}-{part.evidence.sha256[:12]}{_SUFFIXES.get(part.evidence.type, '')}"
                self._written.append(self._files / name)
                self._bytes = _private(self._files / name)
                shown["saved_as"] = name
            self._record({"file": shown})
        if self._bytes is not None:
            self._bytes.write(part.data)

    def _close_file(self) -> None:
        if self._bytes is not None:
            self._bytes.close()
            self._bytes = None

    # --- what shops told ---

    def _told(self, part: audit_pb2.ExportedReception) -> None:
        if part.HasField("reception"):
            self._end_body()
            self._reception = words.as_json(part, empty=False)
        self._body += part.body

    def _end_body(self) -> None:
        if self._reception is None:
            return
        shown, body, self._reception, self._body = self._reception, bytes(self._body), None, bytearray()
        if body:
            shown["body"] = _readable(body)
        self._record({"reception": shown})


def _private(path: Path) -> BinaryIO:
    """A file for its owner alone, anew."""
    with suppress(FileNotFoundError):
        path.unlink()
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _readable(body: bytes) -> Any:
    """As JSON or text where it is some, else in base64."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
