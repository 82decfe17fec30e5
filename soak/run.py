"""Run one row of the fault table at its full size.

    make soak ROW=1        (or: python -m soak.run 1, python -m soak.run --list)

Ends with 0 when the row holds, 1 when it does not, 2 for a row that is not here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from soak.rows import ROWS

ROOT = Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    if arguments == ["--list"]:
        for number, row in ROWS.items():
            print(f"  {number:2}  {row.fault}{'  (has a full-size run)' if row.full_size else ''}")
        return 0
    if len(arguments) != 1 or not arguments[0].isdecimal() or int(arguments[0]) not in ROWS:
        print(f"no such row: {' '.join(arguments)!r}; rows are {', '.join(map(str, ROWS))}", file=sys.stderr)
        return 2
    row = ROWS[int(arguments[0])]
    print(f"row {arguments[0]}: {row.fault}", flush=True)
    tests = subprocess.run([sys.executable, "-m", "pytest", "-q", *row.tests], cwd=ROOT, check=False)
    holds = tests.returncode == 0 and (row.full_size is None or row.full_size())
    print(f"row {arguments[0]}: {'holds' if holds else 'DOES NOT HOLD'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
