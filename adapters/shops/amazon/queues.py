"""Amazon's queues (SQS), into which notifications are put: three operations of their JSON protocol, signed.

That is all that is needed of a client, so that none is: one request each, over the same bounded HTTP as all others.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from adapters.edges import reading
from adapters.edges.agreement import Account, Field
from adapters.edges.http import Http, Limit, Reply, SystemUnreachable
from adapters.edges.meaning import NotUnderstood

QUEUE_LIMITS: Mapping[str, Limit] = {"queue": Limit(20.0, 20)}
QUEUE_SETTINGS: Mapping[str, Field] = {
    "queue": Field("the address of the SQS queue that notifications are put into: one of this connection alone"),
    "queue_region": Field("the queue's region, such as eu-west-1, if its address does not say it"),
}
QUEUE_SECRETS: Mapping[str, Field] = {
    "aws_key": Field("the id of an access key that may receive and delete messages of the queue (AKIA...)"),
    "aws_secret": Field("the secret of that key"),
}

_WAIT_SECONDS = 20
"""The longest that a queue waits for a message before it answers that there is none."""
_HIDDEN_SECONDS = 120
"""For so long nobody else gets what was received: longer than keeping it takes."""
_MOST = 10
_HOST = re.compile(r"(?:sqs\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.(?:queue\.)?amazonaws\.com(?:\.cn)?")
_USUAL_REGION = "us-east-1"


class QueueMessage(msgspec.Struct, rename="pascal"):
    """What lay in the queue."""

    message_id: str
    receipt_handle: str
    body: str


class _Messages(msgspec.Struct, rename="pascal"):
    messages: list[QueueMessage] | None = None


async def receive(http: Http, account: Account) -> list[QueueMessage]:
    """Waits for some; raises SystemUnreachable, TryLater, and NotUnderstood where the queue does not let it."""
    wanted = {
        "MaxNumberOfMessages": _MOST,
        "WaitTimeSeconds": _WAIT_SECONDS,
        "VisibilityTimeout": _HIDDEN_SECONDS,
    }
    reply = await _ask(http, account, "ReceiveMessage", wanted)
    return reading.decoded(reply.body, _Messages).messages or []


async def delete(http: Http, account: Account, handles: Sequence[str]) -> None:
    entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
    await _ask(http, account, "DeleteMessageBatch", {"Entries": entries})


async def look(http: Http, account: Account) -> None:
    """Whether the queue answers; nothing of it is received."""
    await _ask(http, account, "GetQueueAttributes", {"AttributeNames": ["ApproximateNumberOfMessages"]})


async def _ask(http: Http, account: Account, operation: str, wanted: Mapping[str, object]) -> Reply:
    queue = account.settings["queue"]
    parts = urlsplit(queue)
    content = msgspec.json.encode({"QueueUrl": queue, **wanted})
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
    found = _HOST.fullmatch(parts.hostname or "")
    region = account.settings.get("queue_region") or (found[1] if found else _USUAL_REGION)
    login = (account.secret("aws_key"), account.secret("aws_secret"))
    sent = signed("POST", parts.netloc, "/", headers, content, login, region, "sqs", datetime.now(UTC))
    reply = await http.request(
        "POST", f"{parts.scheme}://{parts.netloc}/", headers=sent, content=content, limit="queue"
    )
    if reply.status >= 500:
        raise SystemUnreachable(f"the queue answers {reply.status}")
    if reply.status != 200:
        raise NotUnderstood(f"the queue answers {reply.status} to {operation}; see queue, aws_key and aws_secret")
    return reply


def signed(
    method: str,
    host: str,
    path: str,
    headers: Mapping[str, str],
    content: bytes,
    login: tuple[str, str],
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """The headers with their signature, by AWS Signature Version 4; a request that has no query."""
    time = now.strftime("%Y%m%dT%H%M%SZ")
    whole = {**{name.lower(): value.strip() for name, value in headers.items()}, "host": host, "x-amz-date": time}
    names = ";".join(sorted(whole))
    canonical = "\n".join(f"{name}:{whole[name]}" for name in sorted(whole))
    request = "\n".join((method, path, "", canonical, "", names, hashlib.sha256(content).hexdigest()))
    scope = f"{time[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", time, scope, hashlib.sha256(request.encode()).hexdigest()))
    key_id, secret = login
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    proof = hmac.digest(key, text.encode(), "sha256").hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={proof}"
    return {**whole, "authorization": authorization}
