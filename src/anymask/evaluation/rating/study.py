"""A rating study on disk: what is to be rated, before anybody has rated it.

    STUDY/masks.jsonl     a picture a line: its targets, each with the prompt and every column's mask
    STUDY/pictures/       the pictures as raters see them, named by their own hash
    STUDY/study.json      columns, counts and settings; written last, so a folder without it is not whole

Masks and points are in the frame of the pictures in this folder, which may be smaller than those of the dataset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from anymask.errors import ConfigError, RunError
from anymask.evaluation.rating.guide import PromptKind
from anymask.evaluation.rows import RowFile, read_rows
from anymask.masks.rle import from_json, to_json
from anymask.masks.types import Rle
from anymask.runs import to_plain, versions, write_atomically

TRUTH = "ground truth"
"""The column of the annotated masks."""
ROWS, PICTURES, STUDY = "masks.jsonl", "pictures", "study.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class RatingConfig:
    """What is put before raters. The defaults are the paper's (appendix E)."""

    prompt: PromptKind = "point"
    """What every column is given: the middle of the annotated mask, or its box (that of a detector, where finished
    columns were given a detector's)."""
    masks_per_set: int = 1000
    """Most annotated masks drawn from each set."""
    min_area_px: int = 24**2
    """Smaller annotated masks are not drawn: nobody could judge them."""
    max_side_px: int = 2000
    """Pictures of a longer side are reduced to it before anything is asked."""
    seed: int = 0
    """Of the draw."""

    def __post_init__(self) -> None:
        if self.prompt not in get_args(PromptKind):
            raise ConfigError(f"RatingConfig.prompt is {self.prompt!r}, expected point or box")
        for name in ("masks_per_set", "min_area_px", "max_side_px"):
            if getattr(self, name) < 1:
                raise ConfigError(f"RatingConfig.{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyTarget:
    """One annotated mask with what every column makes of it."""

    map_index: int
    label: int
    point_xy: tuple[float, float] | None
    """The click, a pixel's centre (+.5); None when a box is given."""
    box_xyxy: tuple[float, float, float, float] | None
    """The box; None when a point is given."""
    masks: dict[str, Rle]
    """By column, the annotated one as `TRUTH`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyPicture:
    """One picture of a study."""

    picture: str
    """`SET/ID`."""
    sha256: str
    """Changes with the picture or its annotation."""
    file: str
    """Name below `pictures/`."""
    size_hw: tuple[int, int]
    targets: tuple[StudyTarget, ...]

    @property
    def set_name(self) -> str:
        """The set the picture is of."""
        return self.picture.split("/", 1)[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """A whole study."""

    folder: Path
    prompt: PromptKind
    columns: tuple[str, ...]
    digest: str
    """Of all masks and settings: two studies of one digest are the same."""
    facts: dict[str, Any] = field(repr=False)
    """The rest of study.json."""

    def pictures(self) -> list[StudyPicture]:
        """Every picture that has a target.

        Raises: RunError when masks.jsonl is damaged.
        """
        wanted = set(self.facts["pictures"])
        return [row for row in read_rows(self.folder / ROWS, picture_from_plain) if row.picture in wanted]

    def image_bytes(self, picture: StudyPicture) -> bytes:
        """The picture's file.

        Raises: RunError when it is gone.
        """
        path = self.folder / PICTURES / picture.file
        try:
            return path.read_bytes()
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}); make the study again") from error


def row_file(folder: Path, settings: str) -> RowFile[StudyPicture]:
    """The masks found so far.

    Raises: RunError as `RowFile`.
    """
    return RowFile(folder / ROWS, settings, picture_to_plain, picture_from_plain)


def write_study(
    folder: Path, config: RatingConfig, columns: Sequence[str], pictures: Sequence[StudyPicture], facts: dict[str, Any]
) -> Study:
    """Write study.json, which makes the folder whole.

    Raises: RunError when it cannot be written.
    """
    digest = hashlib.sha256(json.dumps([to_plain(config), list(columns)]).encode())
    for picture in pictures:
        digest.update(json.dumps(picture_to_plain(picture), sort_keys=True).encode())
    sets: dict[str, int] = {}
    for picture in pictures:
        sets[picture.set_name] = sets.get(picture.set_name, 0) + len(picture.targets)
    plain = {
        "schema": 1,
        "prompt": config.prompt,
        "columns": list(columns),
        "digest": digest.hexdigest(),
        "targets_by_set": sets,
        "pictures": [picture.picture for picture in pictures],
        "config": to_plain(config),
        **facts,
        "versions": versions(),
    }
    try:
        write_atomically(folder / STUDY, (json.dumps(plain, indent=1) + "\n").encode())
    except OSError as error:
        raise RunError(f"{folder / STUDY} cannot be written ({error.strerror}); make room, then run again") from error
    return read_study(folder)


def read_study(folder: Path) -> Study:
    """The study in `folder`.

    Raises: RunError when there is none, or it is not whole.
    """
    path = folder / STUDY
    try:
        plain = json.loads(path.read_bytes())
        if plain["schema"] != 1 or plain["prompt"] not in get_args(PromptKind):
            raise ValueError("it is of another schema")
        return Study(
            folder=folder,
            prompt=plain["prompt"],
            columns=tuple(str(name) for name in plain["columns"]),
            digest=str(plain["digest"]),
            facts=plain,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{folder} holds no whole study ({error}); make one, or finish it, with `anymask evaluate rating make`"
        ) from error


def picture_to_plain(picture: StudyPicture) -> dict[str, Any]:
    """The picture as JSON values."""
    plain = to_plain(picture)
    for row, target in zip(plain["targets"], picture.targets, strict=True):
        row["masks"] = {name: to_json(mask) for name, mask in target.masks.items()}
    return dict(plain)


def picture_from_plain(plain: dict[str, Any]) -> StudyPicture:
    """The picture of one line of the file."""
    targets = [
        StudyTarget(
            map_index=row["map_index"],
            label=row["label"],
            point_xy=None if row["point_xy"] is None else (row["point_xy"][0], row["point_xy"][1]),
            box_xyxy=None if row["box_xyxy"] is None else tuple(row["box_xyxy"]),
            masks={name: from_json(mask) for name, mask in row["masks"].items()},
        )
        for row in plain["targets"]
    ]
    size_hw = (plain["size_hw"][0], plain["size_hw"][1])
    return StudyPicture(**{**plain, "size_hw": size_hw, "targets": tuple(targets)})
