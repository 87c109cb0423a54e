"""A start that cannot be: one sentence that says why and what to do, no traceback, and an exit code."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from argparse import ArgumentParser
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from unittest.mock import DEFAULT, patch

import pytest
from psycopg.conninfo import make_conninfo

import server
from adapters.process.options import of_access, options
from adapters.process.others import environment_beside, told_beside
from tests.support.service import HOUSE

_OF_THIS_START = {name: value for name, value in os.environ.items() if not name.startswith("FULFILMENT_")}
_OF_THIS_START["FULFILMENT_LISTEN"] = "127.0.0.1:0"


_SMTP = ["--outbox", "smtp", "--smtp", "mail.example:587"]
_OIDC = ["--oidc-issuer", "https://id.example", "--oidc-audience", "fulfilment"]
_FROM = ["--mail-from", "Brook & Sons <orders@brook.example>"]


class Ended(NamedTuple):
    code: int
    out: str
    sentence: str


_USAGE = re.compile(r"\Ausage: .*\n( {7}python .*\n)*")


def start(*arguments: str, **environment: str) -> Ended:
    """What a start says that ends by itself."""
    words = [sys.executable, "server.py", *arguments]
    ended = subprocess.run(
        words, cwd=HOUSE, env={**_OF_THIS_START, **environment}, capture_output=True, text=True, timeout=60
    )
    return Ended(ended.returncode, ended.stdout, _USAGE.sub("", ended.stderr))


def start_here(*arguments: str, **environment: str) -> Ended:
    """The same in this process, as a process takes a second; without its log."""
    out, err = StringIO(), StringIO()
    with (
        patch.dict(os.environ, {**_OF_THIS_START, **environment}, clear=True),
        patch("sys.argv", ["server.py", *arguments]),
        patch.multiple(server, log_to_stderr=DEFAULT, gc=DEFAULT),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        server.main()
    code = ended.value.code
    if isinstance(code, str):
        print(code, file=err)
    return Ended(code if isinstance(code, int) else 1, out.getvalue(), _USAGE.sub("", err.getvalue()))


def require(ended: Ended, says: str) -> None:
    assert ended.code != 0
    assert ended.sentence.startswith("server.py: ")
    assert ended.sentence.count("\n") == 1, ended.sentence
    assert re.search(says, ended.sentence), ended.sentence


def test_it_prints_its_version():
    result = start("--version")
    assert re.fullmatch(r"fulfilment \d+\.\d+\.\d+\n", result.out)
    assert result.code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--listen", "nonsense"], r"argument --listen: 'nonsense' is no address; write HOST:PORT"),
        (["--listen", "127.0.0.1:70000"], r"'127.0.0.1:70000' is no address"),
        (["--listen", "::1:0"], r"'::1:0' is no address; IPv6 needs brackets, such as \[::1\]:50051$"),
        (["--listen", "a..b:0"], r"cannot listen on a\.\.b:0 \(.+\); name another address with --listen$"),
        (
            ["--listen", "no.such.host.invalid:5000"],
            r"cannot listen on no\.such\.host\.invalid:5000 \(.+\); name another address with --listen$",
        ),
        (
            ["--listen", "192.0.2.1:0"],
            r"cannot listen on 192\.0\.2\.1:0 \(Cannot assign requested address\); name another address with",
        ),
        (
            ["--listen", "0.0.0.0:0"],
            r"0\.0\.0\.0:0 can be reached from other machines, .*--tls-cert and --tls-key, say",
        ),
        (["--tls-cert", "/no/file"], r"--tls-key is missing: a certificate and its key go together$"),
        (["--tls-cert", "/no/file", "--tls-key", "/no/key"], r"--tls-cert /no/file cannot be read \(No such file"),
        (["--tls-client-ca", "/no/file"], r"--tls-client-ca needs --tls-cert and --tls-key as well$"),
        (
            ["--behind-proxy", "--data", "README.md", "--key-file", "elsewhere"],
            r"README.md is a file and must be a folder",
        ),
        (["--oidc-issuer", "https://id.example"], r"--oidc-audience is missing: --oidc-issuer, --oidc-audience and"),
        (["--oidc-jwks", "http://id.example/keys"], r"neither a file nor a URL that begins with https://$"),
        ([*_OIDC, "--oidc-jwks", "/no/file"], r"--oidc-jwks: the keys of /no/file cannot be read \(No such file"),
        ([*_OIDC, "--oidc-jwks", "README.md"], r"--oidc-jwks: the keys of the identity provider are no JWKS"),
        (["--message-mib", "0"], r"argument --message-mib: '0' is no number of MiB from 1 to 1024$"),
        (["--memory-mib", "15"], r"argument --memory-mib: '15' is no number of MiB from 16 to 1048576$"),
        (["--data", "/proc/x"], r"cannot make the folder /proc/x \(No such file or directory\); name another with"),
        (["--data", "server.py"], r"server.py is a file and must be a folder; name another with --data"),
        (["--data", "server.py/x"], r"cannot make the folder \S+server.py/x \(Not a directory\); name another with"),
        (
            ["--data", "/proc"],
            r"cannot write into the data folder /proc \(.*\); give it to the user that runs the service",
        ),
        (["--data", ""], r"argument --data: it is empty; give it a value or leave it out"),
        (["--log-level", "loud"], r"argument --log-level: invalid choice: 'loud'"),
        (["--outbox", "smtp"], r"--outbox smtp needs --smtp$"),
        ([*_SMTP, "--mail-from", "Shop"], r"argument --mail-from: 'Shop' is no address; write it as orders@shop"),
        (_SMTP, r"--outbox smtp needs --mail-from$"),
        (
            [*_SMTP, *_FROM, "--smtp-user", "shop"],
            r"--smtp-user needs a password: in the environment as FULFILMENT_SMTP_",
        ),
        (
            [*_SMTP, *_FROM, "--smtp-user", "shop", "--smtp-password-file", "/no/file"],
            r"--smtp-password-file /no/file cannot be read \(.*No such file",
        ),
        (
            [*_SMTP, *_FROM, "--smtp-user", "shop", "--smtp-password-file", "README.md", "--smtp-security", "none"],
            r"--smtp-security none would send the password in plain; use starttls or tls$",
        ),
        (
            [*_SMTP, *_FROM, "--smtp-security", "none"],
            r"--smtp-security none is for a mail server on this machine, and",
        ),
        (
            ["--bounces", "/var/mail/x"],
            r"--bounces is no mailbox of a mail server; write it as imaps://shop@mail.example/",
        ),
        (
            ["--bounces", "imaps://shop@mail.example"],
            r"--bounces needs a password: in the environment as FULFILMENT_IMAP_",
        ),
        (["--bounces-every", "0"], r"argument --bounces-every: '0' is no number of seconds from 1 to 86400"),
        ([*_SMTP, *_FROM, "--smtp-ca", "README.md"], r"--smtp-ca README.md cannot be used \(.+\)$"),
        (
            ["--dsn", "nonsense"],
            r"cannot read the DSN \(missing \"=\" after \"nonsense\".*\); write it as postgresql://",
        ),
        (
            ["--dsn", "host=127.0.0.1 port=1"],
            r"cannot use the PostgreSQL of the DSN \(.*Connection refused.*\); see that",
        ),
        (
            ["--dsn", "host=nowhere.invalid", "--database-tls", "any"],
            r"cannot use the PostgreSQL of the DSN \(.*nowhere.invalid.*\); see that",
        ),
        (["--behind-proxy"], r"the key file .*master\.key is beside the data: .*name it with --key-file"),
        (["--role", "projector"], r"the projector needs a DSN: --dsn or FULFILMENT_DSN"),
        (["--role", "projector", "--dsn", "host=127.0.0.1 port=1"], r"cannot use the PostgreSQL of the DSN"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_what_cannot_be_used_is_reported_in_one_sentence(arguments: list[str], says: str):
    require(start_here(*arguments), says)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("FULFILMENT_DSN", "", r"argument --dsn: it is empty; give it a value or leave it out"),
        ("FULFILMENT_DATA", "", r"argument --data: it is empty"),
        ("FULFILMENT_LISTEN", "nonsense", r"argument --listen: 'nonsense' is no address"),
        ("FULFILMENT_BEHIND_PROXY", "maybe", r"argument --behind-proxy: invalid choice: 'maybe'"),
        ("FULFILMENT_ROLE", "apis", r"argument --role: invalid choice: 'apis'"),
        ("FULFILMENT_OUTBOX", "mail", r"argument --outbox: invalid choice: 'mail'"),
    ],
)
def test_the_environment_is_checked_like_the_command_line(name: str, value: str, says: str):
    require(start_here(**{name: value}), says)


def test_the_process_of_the_edges_is_protected_by_the_same_options():
    chosen = options([])
    actions = of_access(ArgumentParser())
    for action in actions:
        setattr(chosen, action.dest, "said")
    told = told_beside("edge", chosen)
    assert {f"FULFILMENT_{action.dest.upper()}" for action in actions} <= {
        name for name in told if told[name] == "said"
    }


@pytest.mark.parametrize("role", ["projector", "edge"])
def test_processes_beside_this_one_hold_as_much_in_memory(role: str):
    told = environment_beside(role, "host=db", options(["--memory-mib", "64"]))
    assert told["FULFILMENT_MEMORY_MIB"] == "64"


def test_processes_beside_this_one_do_not_want_the_port_of_its_figures(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FULFILMENT_METRICS", "9464")
    for role in ("projector", "edge"):
        environment = environment_beside(role, "host=db", options([]))
        assert (environment["FULFILMENT_ROLE"], environment["FULFILMENT_DSN"]) == (role, "host=db")
        assert "FULFILMENT_METRICS" not in environment


def test_a_database_that_is_not_there_is_reported(conninfo: str):
    require(
        start("--dsn", make_conninfo(conninfo, dbname="nowhere")),
        r"cannot use the PostgreSQL of the DSN \(.*database \"nowhere\" does not exist\); see that it runs",
    )


def test_a_port_that_is_taken_is_reported_before_a_database_is_made(folder: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = start("--data", str(folder / "data"), "--listen", address)
    require(
        ended, rf"cannot listen on {address} \(Address already in use\); is another server running there\? If so, stop"
    )
    assert not (folder / "data").exists()


def test_a_key_file_that_is_a_folder_is_reported(folder: Path):
    key = folder / "key"
    key.mkdir(mode=0o755)
    require(
        start("--data", str(folder / "data"), "--key-file", str(key), "--log-level", "error"),
        r"the key file \S+/key cannot be used \(Is a directory\); give it to the user",
    )
