"""What is agreed with a foreign system: the settings and secrets of a connection, and what they are."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Account(msgspec.Struct, frozen=True):
    """What is agreed with the system: one connection of one retailer."""

    name: str
    """Of the connection."""
    settings: Mapping[str, str]
    """What its system wants to know, checked when it was added; without those that were left out."""
    secrets: tuple[Mapping[str, str], ...]
    """By name, the newest first: after a rotation the ones of before are valid as well. Requests use the newest."""

    @property
    def channel(self) -> str:
        """Under which channel orders of a shop are placed."""
        return self.settings.get("channel") or self.name

    def secret(self, name: str) -> str:
        """The newest of this name; empty if there is none."""
        return next((each[name] for each in self.secrets if each.get(name)), "")

    def every(self, name: str) -> list[str]:
        """All that are valid of this name, the newest first."""
        return [each[name] for each in self.secrets if each.get(name)]


class Check(msgspec.Struct, frozen=True):
    """One thing that ``fulfilment connection test`` looked at."""

    what: str
    """Such as "orders can be read"."""
    problem: str = ""
    """What is wrong and what to do; empty if it works."""


class Field(msgspec.Struct, frozen=True):
    """A setting or a secret that a connection has."""

    what: str
    """What it is, as a person reads it who has to give it."""
    required: bool = False


CHANNEL = Field("the channel that its orders are placed under; the connection's name if not said")
TOLD = Field("what it is told, with commas between them, or nothing; all that it can be told if not said")
SKUS = Field("whose stock it is told: all, or SKUs with commas between them; those that its orders named if not said")


def names(setting: str) -> list[str]:
    """What a setting names with commas between."""
    return [each.strip() for each in setting.split(",") if each.strip()]
