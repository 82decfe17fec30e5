"""A dataset written: labelled pictures in, SA-1B's tar shards with a card out."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from anymask.dataset.card import DatasetCard, ShardFacts, Tally, read_card, sha256_of, write_card
from anymask.dataset.formats.sa1b import to_sa1b
from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.pictures import as_jpeg
from anymask.dataset.provenance import add_notes
from anymask.dataset.shards import SHARD_NAME, add_member, new_shard, remove_leftovers
from anymask.errors import ConfigError, DatasetError, InputError, MaskError
from anymask.images.limits import ImageLimits
from anymask.images.sniff import open_container

_SA1B_ID = re.compile(r"(?:.*/)?sa_(\d{1,12})$")


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteConfig:
    """How a dataset is cut into shards."""

    name: str = "dataset"
    """Title of its card."""
    pictures_per_shard: int = 1000
    """Pictures in each shard but the last; SA-1B has about 11,000."""
    keep_numbers: bool = True
    """A picture called sa_N keeps its number; otherwise all are numbered from `first_number` in order."""
    first_number: int = 1
    """Number of the first picture that has none."""
    plain: bool = False
    """SA-1B's keys alone, for readers that allow no others: licence, source and origins stay on the card only."""

    def __post_init__(self) -> None:
        if self.pictures_per_shard < 1:
            raise ConfigError(f"WriteConfig.pictures_per_shard is {self.pictures_per_shard}, expected 1 or more")
        if self.first_number < 0:
            raise ConfigError(f"WriteConfig.first_number is {self.first_number}, expected 0 or more")


def picture_members(
    picture: LabelledPicture, number: int, jpeg: bytes, *, plain: bool = False
) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """The two members of one picture, (name, bytes) each: sa_N.jpg and sa_N.json; `plain` without its notes."""
    record = to_sa1b(picture.masks, number, f"sa_{number}.jpg")
    if not plain:
        record = add_notes(record, picture.notes)
    text = json.dumps(record, allow_nan=False, separators=(",", ":"))
    return (f"sa_{number}.jpg", jpeg), (f"sa_{number}.json", text.encode())


def number_of(name: str) -> int | None:
    """N of a picture called sa_N, of any set.

    >>> number_of("sa1b/sa_223750"), number_of("cups/blue")
    (223750, None)
    """
    match = _SA1B_ID.match(name)
    return int(match[1]) if match else None


def write_dataset(
    folder: Path,
    pictures: Iterable[LabelledPicture],
    config: WriteConfig | None = None,
    *,
    left_out: dict[str, str] | None = None,
    notes: tuple[str, ...] = (),
) -> DatasetCard:
    """Write shards and card into `folder`, which holds no dataset yet; one picture is in memory at a time.

    The card is written last: a folder without one is not whole. A picture whose file is damaged or of another size than
    its masks goes into `left_out`, with the reason; without it, it ends the writing. The card names all that is in it.

    Raises: DatasetError when the folder holds a dataset or cannot be written, or two pictures have one number.
    """
    config = config or WriteConfig()
    open_folder(folder)
    with _Writer(folder, config) as writer:
        for picture in pictures:
            try:
                jpeg = release_jpeg(picture)
            except InputError as error:
                if left_out is None:
                    raise
                left_out[picture.name] = str(error)
                continue
            writer.add(picture, jpeg)
    card = writer.tally.card(config.name, writer.shards, left_out, notes)
    write_card(folder, card)
    return card


def release_jpeg(picture: LabelledPicture) -> bytes:
    """The picture as it goes into a dataset (`pictures.as_jpeg`), of its masks' size.

    Raises: ImageError when it is damaged; MaskError when its masks are of another size; DatasetError when it is not at
    hand.
    """
    jpeg = as_jpeg(picture.image_bytes())
    size_hw = open_container(jpeg, ImageLimits()).size_hw
    if size_hw != picture.masks.size_hw:
        raise MaskError(
            f"the masks are of a picture of {picture.masks.size_hw} (height, width), the picture of {picture.name} is "
            f"{size_hw}; give masks of its size"
        )
    return jpeg


def open_folder(folder: Path) -> None:
    """Make the folder of a new dataset, freed of what killed writers left.

    Raises: DatasetError when there is a dataset in it already, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"the folder {folder} cannot be made ({error.strerror}); name another") from error
    if read_card(folder) is not None:
        raise DatasetError(f"{folder} holds a dataset already; name a new folder")
    remove_leftovers(folder)
    for shard in folder.glob("sa_*.tar"):
        # Without a card it is of a run that was stopped.
        shard.unlink()


class _Writer:
    """Shards as they are written."""

    def __init__(self, folder: Path, config: WriteConfig) -> None:
        self.folder, self.config = folder, config
        self.tally = Tally()
        self.shards: list[ShardFacts] = []
        self._numbers: set[int] = set()
        self._next = config.first_number
        self._open = ExitStack()
        self._tar: tarfile.TarFile | None = None
        self._path = folder
        self._pictures = self._masks = 0

    def __enter__(self) -> _Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._close()
        else:
            self._open.__exit__(kind, error, trace)

    def add(self, picture: LabelledPicture, jpeg: bytes) -> None:
        """Append one picture."""
        if not picture.notes.source:
            picture = replace(picture, notes=replace(picture.notes, source=picture.name))
        number = self._number(picture.name)
        if self._tar is None:
            self._path = self.folder / SHARD_NAME.format(len(self.shards))
            self._tar = self._open.enter_context(new_shard(self._path))
        for name, data in picture_members(picture, number, jpeg, plain=self.config.plain):
            add_member(self._tar, name, data)
        self.tally.add(picture)
        self._pictures += 1
        self._masks += len(picture.masks)
        if self._pictures == self.config.pictures_per_shard:
            self._close()

    def _number(self, name: str) -> int:
        number = number_of(name) if self.config.keep_numbers else None
        if number is None:
            number = self._next
            self._next += 1
        if number in self._numbers:
            raise DatasetError(
                f"{name} would be sa_{number}, which is there already; number all pictures anew with --renumber"
            )
        self._numbers.add(number)
        return number

    def _close(self) -> None:
        if self._tar is None:
            return
        self._open.close()
        self._tar = None
        self.shards.append(shard_facts(self._path, self._pictures, self._masks))
        self._pictures = self._masks = 0


def shard_facts(path: Path, pictures: int, masks: int) -> ShardFacts:
    """What the card says of a shard that is there whole.

    Raises: DatasetError when it cannot be read.
    """
    return ShardFacts(name=path.name, pictures=pictures, masks=masks, bytes=path.stat().st_size, sha256=sha256_of(path))
