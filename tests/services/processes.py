"""What the processes that tests begin find in their environment."""

from __future__ import annotations

import os
import sys


def environment(**more: str) -> dict[str, str]:
    """This process's, with the same packages and one thread (tests run beside each other), and what is given.

    A database that is named outside is left out: a test's processes meet only the test's own.
    """
    own = {name: value for name, value in os.environ.items() if name != "ANYMASK_DATABASE"}
    return own | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"} | more
