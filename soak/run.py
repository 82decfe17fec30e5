"""Run one row of the fault table at its full size.

    make soak ROW=1        (or: python -m soak.run 1, python -m soak.run --list)
    python -m soak.run 1 --full-size        without the row's tests, which `make test` runs too

Ends with 0 when the row holds, 1 when it does not, 2 for a row that is not here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from soak.rows import ROWS, Row

ROOT = Path(__file__).parents[1]
FULL_SIZE = "--full-size"


def main(arguments: list[str]) -> int:
    if arguments == ["--list"]:
        for number, row in ROWS.items():
            print(f"  {number:2}  {row.fault}{'  (has a full-size run)' if row.full_size else ''}")
        return 0
    name, *more = arguments or [""]
    row = ROWS.get(int(name)) if name.isdecimal() else None
    if row is None or more not in ([], [FULL_SIZE]):
        print(f"no such row: {' '.join(arguments)!r}; rows are {', '.join(map(str, ROWS))}", file=sys.stderr)
        return 2
    if more and row.full_size is None:
        print(f"row {name} has no full-size run: its tests are its full size; leave out {FULL_SIZE}", file=sys.stderr)
        return 2
    print(f"row {name}: {row.fault}", flush=True)
    holds = bool(more) or _tests_pass(row)
    holds = holds and (row.full_size is None or row.full_size())
    print(f"row {name}: {'holds' if holds else 'DOES NOT HOLD'}")
    return 0 if holds else 1


def _tests_pass(row: Row) -> bool:
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *row.tests], cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
