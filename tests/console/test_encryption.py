"""What the console says of files for TLS, and of connections that do not come about."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.console.terminal.encryption import why_not_connected
from tests.support.certificates import Authority
from tests.support.terminal import Shell


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--ca", "/no/file"], "/no/file cannot be read (No such file or directory)"),
        (["--ca", "README.md"], "README.md is no PEM file (-----BEGIN ...)"),
        (["--cert", "README.md"], "--cert and --key go together"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(shell: Shell, options: list[str], says: str):
    result = shell("tenant", "list", *options)
    assert (result.code, result.err.partition(";")[0]) == (2, f"Error: {says}")


def test_what_the_environment_says_counts(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FULFILMENT_CA", "/no/file")
    assert "/no/file cannot be read" in shell("tenant", "list").err


def test_a_token_goes_to_another_machine_without_tls_only_if_that_is_said(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FULFILMENT_TOKEN", "flk_mia_secret")
    there = ("tenant", "list", "--server", "192.0.2.1:1", "--timeout", "0.1")
    result = shell(*there)
    assert result.code == 2
    assert "your token would go to 192.0.2.1:1 without encryption" in result.err
    said = shell(*there, "--plain")
    assert said.code == 3
    assert said.err.count("your token goes to 192.0.2.1:1 without encryption") == 1
    assert "secret" not in result.err + said.err
    assert "UserWarning" not in said.err


def test_next_steps_name_the_files_that_the_line_was_typed_with(tmp_path: Path):
    from adapters.console.terminal.session import Session
    from adapters.console.work.next_steps import _elsewhere

    pair = Authority(tmp_path).issue("me")
    session = Session(tls=True, cert=str(pair.certificate), key=str(pair.key))
    assert _elsewhere(session) == f" --tls --cert {pair.certificate} --key {pair.key}"


_SSL = "failed to connect to all addresses; last error: UNKNOWN: Tls handshake failed (TSI_PROTOCOL_FAILURE): "


@pytest.mark.parametrize(
    ("said", "encrypted", "hint"),
    [
        (f"{_SSL}SSL_ERROR_SSL: WRONG_VERSION_NUMBER", True, "does not encrypt; leave out --tls"),
        (f"{_SSL}SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED", True, "name the authority with --ca FILE"),
        ("Custom verification check failed: Hostname Verification Check failed.", True, "another name than host;"),
        ("last error: UNAVAILABLE: Socket closed", True, "does it ask for a certificate?"),
        ("last error: UNAVAILABLE: Socket closed", False, "does it encrypt? Then say --tls"),
        ("Failed to connect to remote host: Connection refused", True, ""),
    ],
)
def test_a_connection_that_does_not_come_about_is_explained(said: str, encrypted: bool, hint: str):
    found = why_not_connected(said, "host:50051", encrypted=encrypted)
    assert hint in found if hint else found == ""
