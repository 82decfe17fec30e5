"""Columns whose masks were made before: those that `anymask evaluate points` or `instances` left in its folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anymask.dataset.record import Record
from anymask.errors import RunError
from anymask.evaluation.answering import PictureScore, score_from_plain
from anymask.evaluation.pictures import image_hash
from anymask.evaluation.rating.guide import PromptKind
from anymask.evaluation.results import PictureResult, record_hash, result_from_plain
from anymask.evaluation.rows import read_rows
from anymask.evaluation.targets import Target
from anymask.masks.boxes import mask_to_box
from anymask.masks.rle import encode
from anymask.masks.types import Rle

Place = tuple[int, int]
"""(map index, label) of an annotated mask in its picture."""
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """What a finished column made of one annotated mask's prompt."""

    mask: Rle
    box_xyxy: Box | None
    """The box that it answers, original pixels; None when it answers the click in the middle."""


@dataclass(frozen=True, slots=True)
class FinishedColumn:
    """One column of a finished evaluation. Of clicks the most confident mask of the first one, of boxes the single mask
    (points) or the refined one (instances)."""

    name: str
    fingerprint: str
    """Changes with its masks."""
    prompt: PromptKind
    _answers: Callable[[Record, Sequence[Target]], dict[Place, FinishedAnswer]] = field(repr=False)

    def answers(self, record: Record, targets: Sequence[Target]) -> dict[Place, FinishedAnswer]:
        """Its answers for those of the regions that it was asked about; none when the picture has changed since."""
        return self._answers(record, targets)


def read_finished(folder: Path, prompt: PromptKind) -> list[FinishedColumn]:
    """The columns in the folder of an `anymask evaluate points` or `instances`, those that answered such prompts.

    Raises: RunError when it is no such folder, or none of its columns did.
    """
    path = folder / "report.json"
    try:
        report = json.loads(path.read_bytes())
        protocol, names = str(report["protocol"]), [str(name) for name in report["columns"]]
        if protocol not in _READERS:
            raise ValueError(f"it is of {protocol}")
        if protocol == "points" and prompt == "point" and report["config"]["first_click"] != "centre":
            raise ValueError("its first clicks are random, raters are shown the middle")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} cannot be used ({error}); give a folder that `anymask evaluate points` or `instances` made"
        ) from error
    found = []
    for name in names:
        file = folder / f"{name}.jsonl"
        answers = _READERS[protocol](file, prompt)
        if answers is not None:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
            found.append(FinishedColumn(name, f"finished {digest}", prompt, answers))
    if not found:
        what = "clicks" if prompt == "point" else "boxes"
        raise RunError(
            f"no column of {folder} kept answers to {what}; ask for the other kind, name another folder, or evaluate "
            "anew into a new one where an earlier version made it"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Points:
    """Answers of the points experiment."""

    rows: Mapping[str, PictureResult]
    prompt: PromptKind

    def __call__(self, record: Record, targets: Sequence[Target]) -> dict[Place, FinishedAnswer]:
        row = self.rows.get(record.name)
        if row is None or row.sha256 != record_hash(record):
            return {}
        kept = {(one.map_index, one.label): one for one in row.targets}
        found: dict[Place, FinishedAnswer] = {}
        for target in targets:
            place = target.map_index, target.label
            one = kept.get(place)
            if one is None:
                continue
            if self.prompt == "point" and one.clicks is not None:
                found[place] = FinishedAnswer(one.clicks.mask, None)
            elif self.prompt == "box" and one.box is not None:
                found[place] = FinishedAnswer(one.box.mask, _edges(mask_to_box(target.mask)))
        return found


@dataclass(frozen=True, slots=True)
class _Instances:
    """Answers of the instances experiment, box by box."""

    rows: Mapping[str, PictureScore]

    def __call__(self, record: Record, targets: Sequence[Target]) -> dict[Place, FinishedAnswer]:
        row = self.rows.get(record.name)
        if row is None or row.image_sha256 != image_hash(record.image_bytes):
            return {}
        # Annotation files and label maps number masks differently, so a region is found by its pixels.
        kept = {one.truth: one.boxed for one in row.nearest}
        found: dict[Place, FinishedAnswer] = {}
        for target in targets:
            boxed = kept.get(encode(target.mask))
            if boxed is not None:
                found[target.map_index, target.label] = FinishedAnswer(boxed.answer, boxed.box_xyxy)
        return found


def _read_points(file: Path, prompt: PromptKind) -> _Points | None:
    rows = {row.picture: row for row in read_rows(file, result_from_plain)}
    kept = [one.clicks if prompt == "point" else one.box for row in rows.values() for one in row.targets]
    return _Points(rows, prompt) if any(one is not None for one in kept) else None


def _read_instances(file: Path, prompt: PromptKind) -> _Instances | None:
    rows = {row.picture: row for row in read_rows(file, score_from_plain)}
    kept = [one.boxed for row in rows.values() for one in row.nearest]
    return _Instances(rows) if prompt == "box" and any(one is not None for one in kept) else None


_READERS: dict[str, Callable[[Path, PromptKind], Callable[[Record, Sequence[Target]], Any] | None]] = {
    "points": _read_points,
    "instances": _read_instances,
}


def _edges(box: Any) -> Box:
    x0, y0, x1, y1 = (float(edge) for edge in box)
    return x0, y0, x1, y1
