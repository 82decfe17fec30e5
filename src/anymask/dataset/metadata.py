"""What a user knows of pictures beside their masks: one column of a CSV file, by the pictures' names."""

from __future__ import annotations

import csv
from pathlib import Path

from anymask.errors import DatasetError

KEY = "picture"
NONE = "(none)"
"""The group of pictures that the file does not name."""


def read_column(path: Path, column: str) -> dict[str, str]:
    """Name of a picture -> its value. The file has a head with "picture" and `column`.

    Raises: DatasetError when the file is not there, lacks a column, or names a picture twice.
    """
    found: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = {KEY, column} - set(reader.fieldnames or ())
            if missing:
                raise DatasetError(
                    f"{path} has no column {' and '.join(sorted(missing))}; give a CSV with a head, as picture,{column}"
                )
            for row in reader:
                if row[KEY] in found:
                    raise DatasetError(f"{path} names {row[KEY]!r} twice; keep one row a picture")
                found[row[KEY]] = row[column] or NONE
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read ({error})") from error
    return found


def group_of(names: tuple[str, ...], values: dict[str, str]) -> str:
    """The value of a picture that may go by any of `names` (its own, the last part of it, its source's)."""
    return next((values[name] for name in names if name in values), NONE)
