"""What the pages for people name is there: links, paths, commands, targets, options, RPCs and reasons."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from adapters.console.main import root
from adapters.process.options import options
from tests.support import documented
from tests.support.service import HOUSE

PAGES = sorted([*HOUSE.glob("*.md"), *(HOUSE / "docs").rglob("*.md"), HOUSE / "benchmarks" / "RESULTS.md"])
FOLDERS = {path.name for path in HOUSE.iterdir() if path.is_dir() and not path.name.startswith(".")} - {
    "data",
    "build",
    "dist",
}

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"[\w./*-]+")


def prose(page: Path) -> str:
    """Without its blocks of code."""
    return _FENCED.sub("", page.read_text())


def quoted(page: Path) -> Iterator[str]:
    """What stands in the prose as code."""
    yield from (text.replace("\\|", "|") for text in _INLINE.findall(prose(page)))


def typed(page: Path) -> Iterator[str]:
    """What somebody could type: lines of the shell's blocks, and code in the prose."""
    for language, block in _FENCED.findall(page.read_text()):
        if language in ("console", "sh"):
            lines = block.replace("\\\n", " ").splitlines()
            yield from (line.removeprefix("$ ") for line in lines if language == "sh" or line.startswith("$ "))
    yield from quoted(page)


def anchors(page: Path) -> set[str]:
    """As GitHub names the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", _FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def missing_links(page: Path) -> list[str]:
    missing = []
    for link in _LINK.findall(prose(page)):
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    return missing


def missing_paths(page: Path) -> list[str]:
    """Paths of this house; a word in capitals stands for any name."""
    missing = []
    for text in quoted(page):
        if _PATH.fullmatch(text) and text.partition("/")[0] in FOLDERS and "/" in text:
            pattern = re.sub(r"\b[A-Z]+\b", "*", text)
            if not any(HOUSE.glob(pattern.rstrip("/"))):
                missing.append(text)
    return missing


def wrong_command(line: str) -> str:
    """What the console does not know of a line that begins with ``fulfilment``; empty if it knows all."""
    command: click.Command = root
    known = {"-h", "--help"} | {name for param in root.params for name in param.opts}
    words = shlex.split(line, comments=True)[1:]
    while isinstance(command, click.Group) and words:
        word = words.pop(0)
        if word.startswith("-"):
            options = [param for param in (*root.params, *command.params) if isinstance(param, click.Option)]
            found = next((option for option in options if word in option.opts), None)
            if found is None and word not in known:
                return word
            del words[: found is not None and not found.is_flag]
        elif word in command.commands:
            command = command.commands[word]
        else:
            return word
    known |= {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    return next((word for word in words if word.startswith("--") and word.partition("=")[0] not in known), "")


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(HOUSE)))
def page(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_every_link_leads_somewhere(page: Path) -> None:
    assert missing_links(page) == []


def test_every_path_is_there(page: Path) -> None:
    assert missing_paths(page) == []


def test_every_command_of_the_console_exists(page: Path) -> None:
    lines = [line for line in typed(page) if line.startswith("fulfilment ")]
    assert {line: wrong for line in lines if (wrong := wrong_command(line))} == {}


def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (HOUSE / "Makefile").read_text(), re.MULTILINE))
    named = {word for line in typed(page) for word in re.findall(r"^make ([a-z-]+)", line)}
    assert named <= targets


def test_every_option_of_the_server_exists(page: Path) -> None:
    for line in typed(page):
        if match := re.match(r"(?:python server\.py|fulfilment-server) (-.+)", line):
            options([word for word in shlex.split(match[1], comments=True) if word not in ("--help", "--version")])


def test_every_variable_of_the_environment_is_read(page: Path) -> None:
    sources = [HOUSE / "server.py", *(HOUSE / "adapters").rglob("*.py")]
    code = "\n".join(path.read_text() for path in sources)
    options_of_it = {f"FULFILMENT_{name.upper()}" for name in vars(options([]))}
    named = set(re.findall(r"\bFULFILMENT_[A-Z_]+\b", page.read_text()))
    assert {name for name in named - options_of_it if name not in code} == set()


def test_every_rpc_exists(page: Path) -> None:
    rpcs = {f"{rpc.service}.{rpc.name}" for rpc in documented.rpcs().values()}
    assert {text for text in quoted(page) if re.fullmatch(r"[A-Z][a-z]+Service\.\w+", text)} <= rpcs


@cache
def words_of_the_code() -> frozenset[str]:
    """All words in what people wrote, but for pages and their test."""
    kinds = (".py", ".proto", ".toml", ".lock", ".jsonl")
    found = {*HOUSE.glob("*"), *(path for folder in sorted(FOLDERS) for path in (HOUSE / folder).rglob("*"))}
    sources = (path for path in found if path.suffix in kinds and path != Path(__file__))
    return frozenset(word for path in sources for word in re.findall(r"\w+", path.read_text()))


def unknown_names(page: Path) -> list[str]:
    """Names in the prose, such as ``order.placed`` or ``ORDER_ON_HOLD``, that are nowhere in the code."""
    names = {text for text in quoted(page) if re.fullmatch(r"[A-Za-z_]\w+(\.[a-z_]\w+)*", text)}
    names -= {path.name for path in HOUSE.iterdir()}
    patterns = {each for each in names if re.search(r"^FULFILMENT_|_NAME$", each)}  # of names that are made
    return sorted(each for each in names - patterns if not words_of_the_code().issuperset(each.split(".")))


def test_every_name_is_one_of_the_code(page: Path) -> None:
    if "Generated by `make docs`" not in page.read_text():
        assert unknown_names(page) == []


@pytest.mark.parametrize(
    ("text", "find"),
    [
        ("see [there](no_such_page.md)", missing_links),
        ("see [there](#no-such-heading)", missing_links),
        ("it stands in `ledger/no_such_room.py`", missing_paths),
        ("it stands in `ledger/NAME/no_such_file.py`", missing_paths),
        ("it is `NO_SUCH_REASON`", unknown_names),
        ("it is done by `timers.no_such_function`", unknown_names),
    ],
)
def test_what_is_not_there_is_found(tmp_path: Path, text: str, find) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert find(page) != []


@pytest.mark.parametrize(
    "line", ["fulfilment no", "fulfilment order no", "fulfilment show shop/1 --no", "fulfilment --no show"]
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    assert wrong_command(line)
