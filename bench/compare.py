"""Two result files side by side: ``python -m bench.compare BEFORE.json AFTER.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

NOTABLE = 0.1


def values(file: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the measured bars of a result file by id and name."""
    told = json.loads(file.read_text(encoding="utf-8"))
    return {(one["id"], f"{one['name']} {one['size']}"): one for one in told["bars"] if "value" in one}


def main() -> None:
    """Print each bar's value before and after, and by how much it changed."""
    if len(sys.argv) != 3:
        sys.exit((__doc__ or "").strip())
    before, after = (values(Path(name)) for name in sys.argv[1:])
    for key in dict.fromkeys([*before, *after]):
        left, right = before.get(key), after.get(key)
        shown = [f"{one['value']:10.2f}" if one else f"{'–':>10}" for one in (left, right)]
        change = right["value"] / left["value"] - 1 if left and right and left["value"] else None
        words = "" if change is None else f"{change:+7.0%}{' !' if abs(change) > NOTABLE else ''}"
        print(f"{key[0]:<4}{key[1]:<42}{shown[0]}{shown[1]}  {words}")


if __name__ == "__main__":
    main()
