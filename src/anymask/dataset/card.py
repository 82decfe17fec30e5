"""What a dataset says of itself: dataset.json for programs, README.md for people, both written from the same counts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.provenance import SCHEMA, Provenance
from anymask.errors import ConfigError, DatasetError
from anymask.figures.tables import Table, as_markdown
from anymask.masks.validate import shown
from anymask.runs import from_plain, to_plain, write_atomically

CARD = "dataset.json"
README = "README.md"
_BLOCK = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardFacts:
    """One shard of a dataset."""

    name: str
    pictures: int
    masks: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetCard:
    """The contents of dataset.json; the same pictures in the same shards give the same card, byte by byte."""

    name: str
    schema: int = SCHEMA
    pictures: int = 0
    masks: int = 0
    shards: tuple[ShardFacts, ...] = ()
    licences: tuple[tuple[str, int], ...] = ()
    """Each licence with its number of pictures."""
    blurred: tuple[tuple[str, int], ...] = ()
    """What was looked for and blurred, with its number of pictures; "" where nothing was looked for."""
    made: tuple[tuple[Provenance, int], ...] = ()
    """Each way in which masks were made, with its number of masks."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Each picture that was given and is not in it, with the reason."""
    notes: tuple[str, ...] = ()
    """What else a user must know, a sentence each."""

    def content_sha256(self) -> str:
        """One hash of all shards, in order."""
        return hashlib.sha256("".join(shard.sha256 for shard in self.shards).encode()).hexdigest()


@dataclass(slots=True)
class Tally:
    """Counts that become a card, picture by picture."""

    licences: Counter[str] = field(default_factory=Counter)
    blurred: Counter[str] = field(default_factory=Counter)
    made: Counter[Provenance] = field(default_factory=Counter)

    def add(self, picture: LabelledPicture) -> None:
        """Count one picture."""
        notes = picture.notes
        self.licences[notes.licence] += 1
        self.blurred[notes.blurred] += 1
        if notes.made_by_mask:
            self.made.update(notes.of_mask(index) for index in range(len(picture.masks)))
        elif len(picture.masks):
            self.made[Provenance()] += len(picture.masks)

    def card(
        self,
        name: str,
        shards: list[ShardFacts],
        left_out: Mapping[str, str] | None = None,
        notes: tuple[str, ...] = (),
    ) -> DatasetCard:
        """The card of what was counted."""
        return DatasetCard(
            name=name,
            pictures=sum(shard.pictures for shard in shards),
            masks=sum(shard.masks for shard in shards),
            shards=tuple(shards),
            licences=tuple(sorted(self.licences.items())),
            blurred=tuple(sorted(self.blurred.items())),
            made=tuple(sorted(self.made.items(), key=lambda item: str(to_plain(item[0])))),
            left_out=tuple(sorted((left_out or {}).items())),
            notes=notes,
        )


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read block by block.

    Raises: DatasetError when it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); copy it again") from error
    return digest.hexdigest()


def write_card(folder: Path, card: DatasetCard) -> None:
    """Write dataset.json and README.md, each whole or not at all.

    Raises: DatasetError when they cannot be written.
    """
    try:
        write_atomically(folder / README, as_readme(card).encode())
        write_atomically(folder / CARD, (json.dumps(to_plain(card), indent=1) + "\n").encode())
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written ({error.strerror}); make room and run again") from error


def read_card(folder: Path) -> DatasetCard | None:
    """The card of a dataset's folder; None when it has none.

    Raises: DatasetError when it is damaged, or of a later version.
    """
    path = folder / CARD
    try:
        plain = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read ({error}); copy it again, or remove it") from error
    schema = plain.get("schema") if isinstance(plain, dict) else None
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise DatasetError(f"{path} has schema {shown(schema)}, this version reads 1 to {SCHEMA}; use a newer anymask")
    try:
        return from_plain(DatasetCard, plain)
    except ConfigError as error:
        raise DatasetError(f"{path} is damaged ({error}); copy it again, or remove it") from error


def as_readme(card: DatasetCard) -> str:
    """README.md: what is in it, on what terms, how it was made, what is missing."""
    parts = [
        f"# {card.name}",
        f"{card.pictures:,} pictures and {card.masks:,} masks; tar shards: {len(card.shards):,}. Each picture is a "
        "member sa_N.jpg, its masks are sa_N.json in SA-1B's form (COCO run lengths, overlapping). "
        f"Schema {card.schema}; content sha256 `{card.content_sha256()}`.",
        "## Licences of the pictures",
        as_markdown(Table(("licence", "pictures"), card.licences)),
        "## How the masks were made",
        as_markdown(Table(("stage", "model", "model sha256", "software", "masks"), [
            (made.stage, made.model, made.model_sha256[:12], made.software, count) for made, count in card.made
        ])),
        "## Privacy",
        as_markdown(Table(("blurred", "pictures"), [(what or "not looked for", n) for what, n in card.blurred])),
    ]  # fmt: skip
    if card.notes:
        parts += ["## To know", "\n".join(f"- {note}" for note in card.notes)]
    if card.left_out:
        parts += ["## Left out", as_markdown(Table(("picture", "reason"), card.left_out))]
    return "\n\n".join(parts) + "\n"
