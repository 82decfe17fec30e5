"""Columns whose masks were made before: those that `anymask evaluate points` left in its folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anymask.dataset.pictures import nearest_mask
from anymask.dataset.record import Record
from anymask.errors import RunError
from anymask.evaluation.rating.guide import PromptKind
from anymask.evaluation.results import PictureResult, TargetResult, record_hash, result_from_plain
from anymask.evaluation.rows import read_rows
from anymask.masks.rle import decode, encode
from anymask.masks.types import Rle

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FinishedColumn:
    """One column of a finished evaluation: the most confident mask of its first click, or the single one of its box."""

    name: str
    fingerprint: str
    """Changes with its masks."""
    prompt: PromptKind
    _results: dict[str, PictureResult] = field(repr=False)

    @property
    def takes_points(self) -> bool:
        """Whether it answered clicks."""
        return self.prompt == "point" and self._any("clicks")

    @property
    def takes_boxes(self) -> bool:
        """Whether it answered boxes."""
        return self.prompt == "box" and self._any("box")

    def has(self, record: Record, place: Place) -> bool:
        """Whether it answered for this region of this picture, as the two are now."""
        return self._target(record, place) is not None

    def masks(self, record: Record, places: Sequence[Place], size_hw: tuple[int, int]) -> list[Rle]:
        """Its masks for those regions, on the picture at `size_hw`."""
        found = []
        for place in places:
            target = self._target(record, place)
            assert target is not None, "only regions that it has are drawn"
            answer = target.clicks if self.prompt == "point" else target.box
            assert answer is not None, "checked with the region"
            is_reduced = answer.mask.size_hw != size_hw
            found.append(encode(nearest_mask(decode(answer.mask), size_hw)) if is_reduced else answer.mask)
        return found

    def _target(self, record: Record, place: Place) -> TargetResult | None:
        result = self._results.get(record.name)
        if result is None or result.sha256 != record_hash(record):
            return None
        for target in result.targets:
            if (target.map_index, target.label) == place:
                is_there = (target.clicks if self.prompt == "point" else target.box) is not None
                return target if is_there else None
        return None

    def _any(self, kind: str) -> bool:
        return any(getattr(target, kind) is not None for one in self._results.values() for target in one.targets)


def read_finished(folder: Path, prompt: PromptKind) -> list[FinishedColumn]:
    """The columns in the folder of an `anymask evaluate points`, those that answered such prompts.

    Raises: RunError when it is no such folder, or none of its columns did.
    """
    path = folder / "report.json"
    try:
        report = json.loads(path.read_bytes())
        if report["protocol"] != "points":
            raise ValueError(f"it is of {report['protocol']}")
        if prompt == "point" and report["config"]["first_click"] != "centre":
            raise ValueError("its first clicks are random, raters are shown the middle")
        names = [str(name) for name in report["columns"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be used ({error}); give a folder that `anymask evaluate points` made") from error
    found = []
    for name in names:
        file = folder / f"{name}.jsonl"
        rows = {row.picture: row for row in read_rows(file, result_from_plain)}
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        column = FinishedColumn(name, f"finished {digest}", prompt, rows)
        if column.takes_points or column.takes_boxes:
            found.append(column)
    if not found:
        what = "clicks" if prompt == "point" else "boxes"
        raise RunError(f"no column of {folder} answered {what}; ask for the other kind, or name another folder")
    return found
