"""SA-1B as it is downloaded: sa_N.jpg with sa_N.json beside it, in a shard or a folder, in any order.

Source: SA-1B's release (ai.meta.com/datasets/segment-anything): shards sa_NNNNNN.tar of about 11,000 pictures each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from anymask.dataset.entries import RecordEntry, Span
from anymask.errors import DatasetError

SET_NAME = "sa1b"
"""The set of every record of this form: SA-1B numbers its pictures across all shards."""
_NAME = re.compile(r"(?:\./)?(?P<id>sa_[0-9A-Za-z_-]{1,100})\.(?P<kind>jpg|json)")


def is_sa1b_name(name: str) -> bool:
    """Whether `name` is a picture or its masks in SA-1B's form, at the top of its shard or folder.

    >>> is_sa1b_name("sa_223750.jpg"), is_sa1b_name("./sa_223750.json"), is_sa1b_name("cups/sa_1.jpg")
    (True, True, False)
    """
    return _NAME.fullmatch(name) is not None


def pair_up(members: Iterable[tuple[str, Span]], where: str) -> Iterator[RecordEntry]:
    """An entry for each picture as soon as its second half is met.

    Raises: DatasetError for a name of another form, a name that comes twice, and at the end for a picture without its
    masks or masks without their picture.
    """
    halves: dict[str, dict[str, Span]] = {}
    for name, span in members:
        match = _NAME.fullmatch(name)
        if match is None:
            raise DatasetError(
                f"{where}: {name[:200]!r} among SA-1B's sa_N.jpg and sa_N.json; a shard or folder holds one form, "
                "so put the other in one of its own"
            )
        known = halves.setdefault(match["id"], {})
        if match["kind"] in known:
            raise DatasetError(f"{where}: {name!r} is there twice; write the shard again with each name once")
        known[match["kind"]] = span
        if len(known) == 2:
            yield RecordEntry(match["id"], SET_NAME, known["jpg"], (known["json"],), "sa1b")
    alone = next((f"{name}.{kind}" for name, known in halves.items() if len(known) < 2 for kind in known), None)
    if alone is not None:
        raise DatasetError(
            f"{where}: {alone} has no {'.json' if alone.endswith('.jpg') else '.jpg'} beside it; "
            "fetch or copy the data again, or remove the file"
        )
