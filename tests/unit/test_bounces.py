"""Bounces as mail servers report them: recognised by what only our own mail can name, all other mail left alone."""

from __future__ import annotations

import mailbox
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.bounces import Bounce, read_bounce
from adapters.mail.mailboxes import NoMailbox, mails_in
from tests.support.bounced import MAIL_ID, a_report

POSTFIX = a_report()


def test_a_report_of_a_failure_names_the_mail_the_status_and_what_was_said_but_nobody():
    bounce = read_bounce(POSTFIX)
    assert bounce is not None
    assert bounce[:4] == (
        MAIL_ID,
        "5.1.1",
        "550 5.1.1 <…>: Recipient address rejected: User … unknown in virtual mailbox table",
        datetime(2026, 3, 2, 12, 5, tzinfo=UTC),
    )


@pytest.mark.parametrize("returned", ["text/rfc822-headers", "message/rfc822"])
def test_the_mail_is_known_by_the_message_id_that_comes_back_with_it(returned: str):
    bounce = read_bounce(a_report(envelope_id="", returned=returned))
    assert bounce is not None
    assert bounce.mail_id == MAIL_ID


def test_the_envelope_id_is_enough_and_is_read_in_any_letters():
    bounce = read_bounce(a_report(envelope_id=MAIL_ID.upper(), returned=""))
    assert bounce is not None
    assert bounce.mail_id == MAIL_ID


@pytest.mark.parametrize(
    "other",
    [
        a_report(action="delayed", status="4.4.1"),
        a_report(action="delivered", status="2.0.0"),
        a_report(report_type="feedback-report"),
        a_report(envelope_id="", message_id="<20260302.1@other.example>"),
        a_report(envelope_id="", returned=""),
        b"From: ann@example.org\nSubject: I am away\nAuto-Submitted: auto-replied\n\nUntil Monday.\n",
        b"",
    ],
)
def test_every_other_mail_is_none_of_ours(other: bytes):
    assert read_bounce(other) is None


def test_a_mail_that_could_not_be_delivered_for_days_has_failed_too():
    bounce = read_bounce(a_report(status="4.4.7"))
    assert bounce is not None
    assert bounce.status == "4.4.7"


@given(st.binary(max_size=200), st.integers(0, len(POSTFIX)))
def test_no_mail_makes_the_reader_fail(noise: bytes, place: int):
    found = read_bounce(POSTFIX[:place] + noise + POSTFIX[place:])
    assert found is None or isinstance(found, Bounce)


def test_mails_are_read_from_a_maildir_a_folder_and_an_mbox_without_a_change(tmp_path: Path):
    folder, box = mailbox.Maildir(tmp_path / "maildir"), mailbox.mbox(tmp_path / "box")
    (tmp_path / "folder").mkdir()
    for number in (1, 2):
        folder.add(POSTFIX)
        box.add(POSTFIX)
        (tmp_path / "folder" / f"{number}.eml").write_bytes(POSTFIX)
    box.close()
    for place in ("maildir", "folder", "box"):
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / place).rglob("*")}
        found = [read_bounce(raw) for raw in mails_in(tmp_path / place)]
        assert [bounce.mail_id for bounce in found if bounce] == [MAIL_ID] * 2
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / place).rglob("*")} == before


def test_a_place_that_is_not_there_is_no_empty_mailbox(tmp_path: Path):
    with pytest.raises(NoMailbox, match="nowhere cannot be read: No such file"):
        list(mails_in(tmp_path / "nowhere"))
