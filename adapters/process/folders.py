"""Folders of our own: nobody else can look into what the service makes."""

from __future__ import annotations

from pathlib import Path


class BadFolder(Exception):
    """A folder cannot be used; the message says why and what to do."""


def path(text: str) -> Path:
    """As an option names it."""
    return Path(text).expanduser()


def make_private(path: Path, option: str) -> None:
    """Makes the folder with mode 0700; one that is there, like its parents, keeps the mode that it has.

    ``option`` is what names another one.
    """
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise BadFolder(f"{path} is a file and must be a folder; name another with {option}") from None
    except OSError as error:
        raise BadFolder(f"cannot make the folder {path} ({error.strerror}); name another with {option}") from error
