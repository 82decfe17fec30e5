"""What simulated people did, kept beside the turns: a line a picture, with the time that each mask is taken to need."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anymask.data_engine.simulated_annotator import PictureNote
from anymask.runs import to_plain

_FILE = "simulated.jsonl"
_BY_HAND = ("clicked", "brushed", "fixed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """The work of one turn. A picture that was begun twice (its server or annotator was killed) counts once."""

    pictures: int
    kept: int
    """Masks that were made, fixed or accepted."""
    by_hand: int
    """Of those, all but the proposals that were accepted as they were."""
    accepted: int
    fixed: int
    dropped: int
    brushed: int
    clicks_a_mask: float
    """Mean over the masks made by hand."""
    seconds_a_mask: float
    """Mean over the masks made by hand."""
    seconds_a_kept_mask: float
    """All time, that for deciding on proposals too, over the masks kept."""
    masks_a_picture: float


def keep_note(folder: Path, turn: int, note: PictureNote) -> None:
    """Append a picture that was done for a turn."""
    with (folder / _FILE).open("a") as stream:
        stream.write(json.dumps({"turn": turn, **to_plain(note)}) + "\n")


def count_pictures(folder: Path, turn: int) -> int:
    """Pictures that were done for this turn."""
    return len(pictures_of(folder, turn))


def effort(folder: Path, turn: int) -> Effort | None:
    """The work for one turn; None when no simulated person did any."""
    pictures = pictures_of(folder, turn)
    masks = [mask for one in pictures.values() for mask in one["masks"]]
    kept = [mask for mask in masks if mask["what"] != "dropped"]
    by_hand = [mask for mask in kept if mask["what"] in _BY_HAND]
    if not by_hand:
        return None
    count = {what: sum(mask["what"] == what for mask in masks) for what in ("accepted", "fixed", "dropped", "brushed")}
    return Effort(
        pictures=len(pictures),
        kept=len(kept),
        by_hand=len(by_hand),
        **count,
        clicks_a_mask=float(np.mean([mask["clicks"] for mask in by_hand])),
        seconds_a_mask=float(np.mean([mask["seconds"] for mask in by_hand])),
        seconds_a_kept_mask=sum(mask["seconds"] for mask in masks) / len(kept),
        masks_a_picture=len(kept) / len(pictures),
    )


def pictures_of(folder: Path, turn: int) -> dict[str, dict[str, Any]]:
    """The notes of the pictures that were done for a turn, by file name."""
    return {one["file_name"]: one for one in _lines(folder) if one["turn"] == turn and not one["skipped"]}


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    path = folder / _FILE
    if not path.is_file():
        return
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:  # cut by a kill; the picture is in the database all the same
            continue
