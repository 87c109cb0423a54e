"""The whole file of an order: all that is known about it in one document that needs nothing beside itself."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fulfilment.v1 import admin_pb2, audit_pb2, cases_pb2, orders_pb2, remarks_pb2
from tests.support.case_client import PNG, Work
from tests.support.service import Client, Service, context, fields_of, reason_of, refused
from tests.support.terminal import Console

WROTE = 'rang about the <b>blue</b> door & "bell"'


@pytest.fixture(scope="module")
def file_of(client: Client) -> Work:
    """An order with a case, evidence, a note and a command that was refused."""
    ann = orders_pb2.Customer(name="Ann <script>alert(1)</script>", email="ann.file@example.org")
    work = Work(client, "file-1", customer=ann)
    work.opens()
    work.rules(cases_pb2.REMEDY_REFUND)
    client.orders.AddOrderNote(remarks_pb2.AddOrderNoteRequest(context=context(), order_id=work.order_id, note=WROTE))
    again = cases_pb2.OpenCaseRequest(context=context(), case_id="file-other", order_id=work.order_id)
    again.reason = cases_pb2.CASE_REASON_DAMAGED
    again.lines.add(line_no=1, units=2)
    assert reason_of(refused(client.cases.OpenCase, again)) == "UNITS_NOT_FREE"
    client.read_up_to(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)
    return work


def answer(client: Client, form: Any = audit_pb2.ORDER_FILE_FORMAT_JSON, **asked: Any) -> str:
    request = audit_pb2.GetOrderFileRequest(order_id="shop/file-1", format=form, **asked)
    *parts, last = client.audit.GetOrderFile(request)
    data = b"".join(part.data for part in parts)
    assert (last.end.size_bytes, last.end.sha256) == (len(data), sha256(data).hexdigest())
    return data.decode()


class _Page(HTMLParser):
    """What a page would load or run, and whether its elements close as they opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        if tag in ("script", "link", "img", "iframe", "object", "form", "base"):
            self.loads.append(tag)
        self.loads += [name for name, value in attrs if name in ("src", "style") or name.startswith("on")]
        self.loads += [value or "" for name, value in attrs if name == "href" and not (value or "").startswith("#")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_json_has_every_fact_every_outcome_and_what_belongs_to_the_order(client: Client, file_of: Work):
    found = json.loads(answer(client, time_zone="Europe/Berlin"))
    history = audit_pb2.GetHistoryRequest(order_id=file_of.order_id, with_parcels=True)
    history.page.page_size = 1000
    own = {fact.position for fact in client.audit.GetHistory(history).facts}
    assert own <= {fact["position"] for fact in found["facts"]}
    assert {"order", "parcel", "case"} <= {fact["stream"].partition("-")[0] for fact in found["facts"]}
    assert all("Europe/Berlin (" in fact["sentence"] for fact in found["facts"])
    asked = {fact["request_id"] for fact in found["facts"]}
    (refusal,) = [each for each in found["commands"] if each["outcome"] == "refused"]
    assert refusal["refusal"]["reason"] == "UNITS_NOT_FREE"
    assert {each["request_id"] for each in found["commands"]} == asked | {refusal["request_id"]}
    assert [each["sha256"] for each in found["evidence"]] == [sha256(PNG).hexdigest()]
    assert [each["case_id"] for each in found["cases"]] == [file_of.case_id]
    assert found["parcels"][0]["parcel"] == "DHL FILE1"
    assert "Ann" not in json.dumps(found)
    assert "blue" not in json.dumps(found)


@pytest.mark.parametrize(("language", "says"), [("en", "History"), ("zh", "经过")])
def test_the_page_loads_and_runs_nothing_and_writes_what_people_wrote_as_text(
    client: Client, file_of: Work, language: str, says: str
):
    shown = answer(client, audit_pb2.ORDER_FILE_FORMAT_HTML, language=language, with_personal_data=True)
    page = _Page()
    page.feed(shown)
    page.close()
    assert (page.open, page.loads) == ([], [])
    assert says in page.text
    assert WROTE in page.text
    assert "Ann <script>alert(1)</script>" in page.text
    assert "UNITS_NOT_FREE" in page.text
    policy = re.search(r"style-src 'sha256-([^']+)'", shown)
    assert policy
    assert "default-src 'none'" in shown


def test_what_is_personal_is_shown_to_who_asks_and_noted_as_a_read(client: Client, file_of: Work):
    def reads() -> int:
        about = audit_pb2.ListReadsRequest(order_id=file_of.order_id)
        return sum(each.rpc == "GetOrderFile" for each in client.audit.ListReads(about).reads)

    before = reads()
    assert "blue" not in answer(client, audit_pb2.ORDER_FILE_FORMAT_HTML)
    assert reads() == before
    assert "blue" in answer(client, with_personal_data=True)
    assert reads() > before


def test_what_cannot_be_made_is_malformed(client: Client, file_of: Work):
    def fields(**asked: Any) -> list[str]:
        request = audit_pb2.GetOrderFileRequest(order_id=file_of.order_id, **asked)
        return fields_of(refused(lambda asked: list(client.audit.GetOrderFile(asked)), request))

    form = audit_pb2.ORDER_FILE_FORMAT_JSON
    assert fields() == ["format"]
    assert fields(format=form, language="de") == ["language"]
    assert fields(format=form, time_zone="Mars/Base") == ["time_zone"]


def test_the_console_writes_the_file_whole_for_its_owner_alone(service: Service, file_of: Work, tmp_path: Path):
    ff, page = Console(service.address), tmp_path / "1.html"
    assert "bytes, as of position" in ff("audit", "file", file_of.order_id, "--to", str(page)).out
    assert page.read_text().startswith("<!doctype html>")
    assert page.stat().st_mode & 0o777 == 0o600
    assert ".html or .json" in ff("audit", "file", file_of.order_id, "--to", str(tmp_path / "1.pdf")).err
    assert ff("audit", "file", "shop/nobody", "--to", str(tmp_path / "2.json")).code == 1
    assert "cannot be written" in ff("audit", "file", file_of.order_id, "--to", str(tmp_path / "no" / "1.json")).err
    assert [each.name for each in tmp_path.iterdir()] == ["1.html"]
