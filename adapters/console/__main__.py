"""Where ``fulfilment`` begins: what takes time to import is imported where Ctrl-C ends it with a sentence, too."""

from __future__ import annotations

import sys

_STOPPED = '{"error": {"reason": "STOPPED", "message": "stopped", "exit_code": 130, "details": {}}}'


def main() -> None:
    try:
        from adapters.console.main import main as console

        console()
    except KeyboardInterrupt:
        print(_STOPPED if "--json" in sys.argv else "Error: stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
