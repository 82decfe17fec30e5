"""What a segmenter scored on each picture, and the file that keeps it while an evaluation runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from anymask.dataset.record import Record
from anymask.evaluation.metrics import Sample
from anymask.evaluation.rows import RowFile
from anymask.masks.rle import from_json, to_json
from anymask.masks.types import Rle

MEAN = "mean of sets"
"""The row that averages the sets, each weighing the same."""
FIRST_MEASURES = ("click", "click_oracle", "box", "box_confident", "box_oracle")
"""Scores of one prompt: of a click the most confident and the best of three masks; of a box the single-mask answer,
then the most confident and the best of three."""


def curve_measure(clicks: int) -> str:
    """The name of the score after `clicks` clicks.

    >>> curve_measure(3)
    'clicks_3'
    """
    return f"clicks_{clicks}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClickScores:
    """IoU of the answers to clicks on one region."""

    confident: float
    """The mask of highest predicted IoU after one click."""
    oracle: float
    """The best of its three masks."""
    curve: tuple[float, ...]
    """After 1, 2, ... clicks; the first is `confident`."""
    mask: Rle
    """The most confident mask of the first click."""
    first_xy: tuple[float, float]
    """Where the first click was, original pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxScores:
    """IoU of the answers to the box of one region."""

    single: float
    """The single-mask answer."""
    confident: float
    """The mask of highest predicted IoU of three."""
    oracle: float
    """The best of the three."""
    mask: Rle
    """The single-mask answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetResult:
    """What one segmenter scored on one region; None where it does not take such prompts."""

    map_index: int
    label: int
    area_px: int
    clicks: ClickScores | None
    box: BoxScores | None

    def score(self, measure: str) -> float | None:
        """The IoU called `measure`: one of FIRST_MEASURES or `clicks_N`; None where there is none."""
        if self.clicks is not None:
            if measure.startswith("clicks_"):
                count = int(measure.removeprefix("clicks_"))
                return self.clicks.curve[count - 1] if count <= len(self.clicks.curve) else None
            if measure in ("click", "click_oracle"):
                return self.clicks.confident if measure == "click" else self.clicks.oracle
        if self.box is not None:
            return {"box": self.box.single, "box_confident": self.box.confident, "box_oracle": self.box.oracle}.get(
                measure
            )
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureResult:
    """Everything one segmenter scored on one picture."""

    picture: str
    """`SET/ID`."""
    sha256: str
    """First 16 digits of the hash of picture and label maps, so that changed data is evaluated again."""
    targets: tuple[TargetResult, ...]
    model_s: float = field(default=0.0, compare=False)
    """Seconds spent in the segmenter: embedding and answers."""
    scoring_s: float = field(default=0.0, compare=False)
    """Seconds spent on clicks and overlaps."""

    @property
    def set_name(self) -> str:
        """The set the picture is of."""
        return self.picture.split("/", 1)[0]


def record_hash(record: Record) -> str:
    """16 hex digits that change with the picture's or a label map's bytes."""
    digest = hashlib.sha256()
    for data in (record.image_bytes, *record.maps_bytes):
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:16]


def samples(results: Sequence[PictureResult], measure: str) -> dict[str, Sample]:
    """Per set, by name, the score called `measure` of every mask that has it; sets without any are left out."""
    values: dict[str, list[float]] = {}
    pictures: dict[str, list[str]] = {}
    for result in sorted(results, key=lambda one: one.picture):
        for target in result.targets:
            score = target.score(measure)
            if score is not None:
                values.setdefault(result.set_name, []).append(score)
                pictures.setdefault(result.set_name, []).append(result.picture)
    return {name: Sample(np.array(values[name]), tuple(pictures[name])) for name in sorted(values)}


class ResultFile(RowFile[PictureResult]):
    """One column's results on a file."""

    def __init__(self, path: Path, settings: str) -> None:
        """Open or begin the file.

        Raises: RunError as `RowFile`.
        """
        super().__init__(path, settings, _to_plain, result_from_plain)


def _to_plain(result: PictureResult) -> dict[str, Any]:
    plain = asdict(result)
    for target, row in zip(result.targets, plain["targets"], strict=True):
        for name, scores in (("clicks", target.clicks), ("box", target.box)):
            if scores is not None:
                row[name]["mask"] = to_json(scores.mask)
    return plain


def result_from_plain(plain: dict[str, Any]) -> PictureResult:
    """The result of one line of the file."""
    targets = []
    for row in plain["targets"]:
        clicks, box = row["clicks"], row["box"]
        if clicks is not None:
            curve, mask, first_xy = tuple(clicks["curve"]), from_json(clicks["mask"]), tuple(clicks["first_xy"])
            clicks = ClickScores(**{**clicks, "curve": curve, "mask": mask, "first_xy": first_xy})
        if box is not None:
            box = BoxScores(**{**box, "mask": from_json(box["mask"])})
        targets.append(TargetResult(**{**row, "clicks": clicks, "box": box}))
    return PictureResult(**{**plain, "targets": tuple(targets)})
