"""What a segmenter scored on each picture, and the file that keeps it while an evaluation runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anymask.dataset.record import Record
from anymask.errors import AnymaskError, RunError
from anymask.evaluation.metrics import Sample
from anymask.masks.rle import from_json, to_json
from anymask.masks.types import Rle

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


class ResultFile:
    """One column's results as JSON lines, appended picture by picture, so that a killed evaluation goes on.

    The first line names the settings; a last line cut by a crash is dropped. Later lines of a picture replace earlier.
    """

    def __init__(self, path: Path, settings: str) -> None:
        """Open or begin the file.

        Raises: RunError when it was made with other settings, is damaged before its last line, or cannot be written.
        """
        self.path = path
        self._done: dict[str, PictureResult] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = self._whole_lines()
        except OSError as error:
            raise _cannot_write(path, error) from error
        if not whole:
            self._append({"settings": settings})
            return
        try:
            header, *rows = [json.loads(line) for line in whole]
            self._done = {row["picture"]: _from_plain(row) for row in rows}
        except (ValueError, KeyError, TypeError, AnymaskError) as error:
            raise RunError(f"{path} is damaged ({error}); delete it, or evaluate into a new folder") from error
        if header != {"settings": settings}:
            raise RunError(
                f"{path} holds results of other settings ({header.get('settings')}; now {settings}); "
                "delete it, or evaluate into a new folder"
            )

    def get(self, picture: str, sha256: str) -> PictureResult | None:
        """The result of that picture if it is there and its data has not changed since."""
        found = self._done.get(picture)
        return found if found is not None and found.sha256 == sha256 else None

    def add(self, result: PictureResult) -> None:
        """Keep one more result; a kill of this process loses none that was kept.

        Raises: RunError when it cannot be written; what was there stays.
        """
        self._done[result.picture] = result
        self._append(_to_plain(result))

    def _whole_lines(self) -> list[bytes]:
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            os.truncate(self.path, end)
        return data[:end].splitlines()

    def _append(self, plain: dict[str, Any]) -> None:
        try:
            with self.path.open("ab") as stream:
                stream.write(json.dumps(plain, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            raise _cannot_write(self.path, error) from error


def _cannot_write(path: Path, error: OSError) -> RunError:
    return RunError(f"{path} cannot be written ({error.strerror}); make room or name another folder, then run again")


def _to_plain(result: PictureResult) -> dict[str, Any]:
    plain = asdict(result)
    for target, row in zip(result.targets, plain["targets"], strict=True):
        for name, scores in (("clicks", target.clicks), ("box", target.box)):
            if scores is not None:
                row[name]["mask"] = to_json(scores.mask)
    return plain


def _from_plain(plain: dict[str, Any]) -> PictureResult:
    targets = []
    for row in plain["targets"]:
        clicks, box = row["clicks"], row["box"]
        if clicks is not None:
            clicks = ClickScores(**{**clicks, "curve": tuple(clicks["curve"]), "mask": from_json(clicks["mask"])})
        if box is not None:
            box = BoxScores(**{**box, "mask": from_json(box["mask"])})
        targets.append(TargetResult(**{**row, "clicks": clicks, "box": box}))
    return PictureResult(picture=plain["picture"], sha256=plain["sha256"], targets=tuple(targets))
