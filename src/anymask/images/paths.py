"""File names from outside (datasets, archives, requests), kept inside their root."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from anymask.errors import PathError

_ENCODED = re.compile(r"%(2e|2f|5c|00)", re.IGNORECASE)
_MAX_PART_BYTES = 255


def check_name(name: str) -> PurePosixPath:
    """`name` as a relative path that cannot climb: parts joined by `/`, none of them `.` or `..`.

    >>> check_name("ccp/0001.webp").parts
    ('ccp', '0001.webp')

    Raises: PathError for an absolute name, `..`, NUL and other control characters, backslashes, drive letters,
    percent-encoded separators, or parts no file system takes.
    """
    shown = repr(name if len(name) <= 100 else name[:100] + "...")
    if not name:
        raise PathError("the file name is empty, expected a relative name such as 'set/0001.png'")
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise PathError(f"the file name {shown} has a control character; use letters, digits, '-', '_', '.' and '/'")
    if "\\" in name or _ENCODED.search(name) or re.match(r"[A-Za-z]:", name):
        raise PathError(f"the file name {shown} has a backslash, a drive or an encoded separator; use plain '/' names")
    if name.startswith("/"):
        raise PathError(f"the file name {shown} is absolute, expected one relative to its folder")
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise PathError(f"the file name {shown} has an empty, '.' or '..' part; give the plain path below the folder")
    try:
        longest = max(len(part.encode()) for part in parts)
    except UnicodeEncodeError as error:
        raise PathError(f"the file name {shown} is not valid Unicode; rename the file") from error
    if longest > _MAX_PART_BYTES:
        raise PathError(f"the file name {shown} has a part of {longest} bytes, expected at most {_MAX_PART_BYTES}")
    return PurePosixPath(name)


def safe_join(root: str | Path, name: str) -> Path:
    """The file `name` below `root`, which need not exist yet; links are followed and must stay below `root` too.

    Raises: PathError for a name that `check_name` refuses or that leads outside.
    """
    base = Path(root).resolve()
    path = base.joinpath(*check_name(name).parts)
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:
        raise PathError(f"the file name {name!r} cannot be resolved below {base} ({error})") from error
    if not target.is_relative_to(base):
        raise PathError(f"the file name {name!r} leads outside {base} through a link; copy the file into the folder")
    return path
