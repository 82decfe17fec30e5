"""What is wrong with a dataset: every picture decoded, every mask parsed, every shard compared with the card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from anymask.dataset.card import CARD, read_card, sha256_of
from anymask.dataset.entries import RecordEntry, read_entry
from anymask.dataset.labelled_picture import labelled
from anymask.dataset.sources import Source, find_form, read_labelled, record_entries
from anymask.errors import AnymaskError, DatasetError

Update = Callable[[int], None]
"""Called with the pictures checked so far."""


@dataclass(slots=True)
class Findings:
    """What a check saw."""

    pictures: int = 0
    masks: int = 0
    bad: dict[str, str] = field(default_factory=dict)
    """What is damaged, by the name of the picture, shard or card, and why."""
    empty_masks: int = 0
    """Masks without a pixel: allowed, but nothing to learn from."""
    pictures_without_masks: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.bad


def check_dataset(path: Path, images: Path | None = None, update: Update | None = None) -> Findings:
    """All findings in a dataset of any form that is read; nothing is changed, and one picture is in memory at a time.

    What is found: a shard that is cut, compressed, of another hash than its card says, with unsafe, double or oversized
    members (from there on that shard is not read); pictures that are no whole picture; masks that are malformed, of
    another picture's size or not of their stated area; notes that are damaged; numbers that come twice.
    """
    findings = Findings()
    tell = update or _tell_nobody
    try:
        if find_form(path) is Source.RECORDS:
            _check_records(path, findings, tell)
        else:
            for picture in read_labelled(path, images, findings.bad.__setitem__):
                _count(findings, picture.masks.area_px.tolist(), tell)
    except DatasetError as error:
        findings.bad[str(path)] = str(error)
    return findings


def _check_records(path: Path, findings: Findings, tell: Update) -> None:
    if not path.exists():
        raise DatasetError(f"there is no file or folder {path}; give a dataset")
    shards = sorted(path.glob("*.tar")) if path.is_dir() else []
    if path.is_dir() and (shards or (path / CARD).exists()):
        _check_card(path, shards, findings)
    names: set[str] = set()
    for part in shards or [path]:
        try:
            for entry in record_entries(part):
                if entry.name in names:
                    findings.bad[entry.name] = f"it is there twice, again in {part.name}"
                names.add(entry.name)
                _check_record(entry, findings, tell)
        except DatasetError as error:
            findings.bad[part.name] = str(error)


def _check_record(entry: RecordEntry, findings: Findings, tell: Update) -> None:
    try:
        record = read_entry(entry)
        picture = labelled(record)
        record.pixels()
    except AnymaskError as error:
        findings.bad[entry.name] = str(error)
        tell(findings.pictures + len(findings.bad))
        return
    _count(findings, picture.masks.area_px.tolist(), tell)


def _count(findings: Findings, areas: list[int], tell: Update) -> None:
    findings.pictures += 1
    findings.masks += len(areas)
    findings.empty_masks += areas.count(0)
    findings.pictures_without_masks += not areas
    tell(findings.pictures + len(findings.bad))


def _check_card(folder: Path, shards: list[Path], findings: Findings) -> None:
    """Compare the shards that are there with those of the card."""
    try:
        card = read_card(folder)
    except DatasetError as error:
        findings.bad[CARD] = str(error)
        return
    if card is None:
        return
    there = {shard.name: shard for shard in shards}
    for facts in card.shards:
        shard = there.pop(facts.name, None)
        if shard is None:
            findings.bad[facts.name] = "the card names it, but it is not there; copy it again"
        elif shard.stat().st_size != facts.bytes or sha256_of(shard) != facts.sha256:
            findings.bad[facts.name] = "it has another size or hash than the card says; copy it again"
    for name in there:
        findings.bad[name] = "the card does not name it; remove it, or write the dataset again"


def _tell_nobody(_pictures: int) -> None:
    """Progress that nobody looks at."""
