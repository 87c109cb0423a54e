"""The code of the page about own sites that verifies an event: it tells genuine ones from all others."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.own_site import SECRET, signed_headers
from tests.support.service import HOUSE

PAGE = (HOUSE / "docs" / "own-site.md").read_text()
BODY = '{"specversion": "1.0", "note": "Größe 茶"}'.encode()
OTHER = "whsec_" + base64.b64encode(b"another secret of 24 byte").decode()

Case = tuple[str, dict[str, str], bytes]


def code(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def in_python(cases: list[Case]) -> list[bool]:
    names: dict[str, Any] = {}
    exec(compile(code("python"), "own-site.md", "exec"), names)
    return [bool(names["is_genuine"](*each)) for each in cases]


def in_javascript(cases: list[Case]) -> list[bool]:
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    asked = json.dumps([(secret, headers, base64.b64encode(body).decode()) for secret, headers, body in cases])
    call = f'console.log(JSON.stringify({asked}.map(([s, h, b]) => isGenuine(s, h, Buffer.from(b, "base64")))));'
    done = subprocess.run(["node", "-e", code("js") + call], capture_output=True, text=True, timeout=60, check=True)
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("answers", [in_python, in_javascript])
def test_the_code_of_the_page_knows_genuine_events(answers: Callable[[list[Case]], list[bool]]):
    now = datetime.now(UTC)
    headers, old = signed_headers(BODY, "e1", now), signed_headers(BODY, "e1", now - timedelta(minutes=6))
    by_other = signed_headers(BODY, "e1", now, OTHER)["webhook-signature"]
    both = {**headers, "webhook-signature": f"{by_other} {headers['webhook-signature']}"}
    genuine = [(SECRET, headers, BODY), (OTHER, both, BODY), (SECRET, both, BODY)]
    wrong = [(OTHER, headers, BODY), (SECRET, headers, BODY + b" "), (SECRET, old, BODY)]
    wrong += [(SECRET, {**headers, "webhook-id": "e2"}, BODY), (SECRET, {**headers, "webhook-signature": "v1,é"}, BODY)]
    assert answers([*genuine, *wrong]) == [True] * len(genuine) + [False] * len(wrong)
