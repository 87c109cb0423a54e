"""Reports of mail servers, as Postfix writes them."""

from __future__ import annotations

MAIL_ID = "k3j2h5aaq4ne7xw2ro6tbmzc"


def a_report(
    mail_id: str = MAIL_ID,
    *,
    envelope_id: str | None = None,
    message_id: str = "",
    action: str = "failed",
    status: str = "5.1.1",
    report_type: str = "delivery-status",
    returned: str = "text/rfc822-headers",
) -> bytes:
    """A report about a mail to Ann; ``returned`` is how the mail itself comes back, empty for not at all."""
    envelope = mail_id if envelope_id is None else envelope_id
    named = f"Original-Envelope-Id: {envelope}\n" if envelope else ""
    headers = (
        "From: Brook & Sons <orders@brook.example>\nTo: Ann Example <ann@example.org>\n"
        f"Message-ID: {message_id or f'<{mail_id}@brook.example>'}\nSubject: Your order 1\n"
    )
    last = f"--b\nContent-Type: {returned}\n\n{headers}\n" if returned else ""
    return (
        "Return-Path: <>\nFrom: MAILER-DAEMON@mail.example (Mail Delivery System)\n"
        "To: orders@brook.example\nSubject: Undelivered Mail Returned to Sender\n"
        "Date: Mon, 2 Mar 2026 13:05:00 +0100\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={report_type};\n\tboundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nI'm sorry to have to inform you that your message could not be delivered.\n\n"
        "--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mail.example\n{named}Arrival-Date: Mon, 2 Mar 2026 13:00:00 +0100\n\n"
        f"Final-Recipient: rfc822; ann@example.org\nOriginal-Recipient: rfc822;ann@example.org\nAction: {action}\n"
        f"Status: {status}\nRemote-MTA: dns; mx.example.org\n"
        f"Diagnostic-Code: smtp; 550 {status} <ann@example.org>: Recipient address rejected:\n"
        "    User ann unknown in virtual mailbox table\n\n"
        f"{last}--b--\n"
    ).encode()
