"""Records from tar shards and folders; nothing is extracted.

A shard or folder holds one of two forms, told by its names: SET/ID.webp with label maps SET/ID.png or SET/ID__K.png, or
SA-1B's sa_N.jpg with sa_N.json (`pairs.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePosixPath

from anymask.dataset.entries import ReadLimits, RecordEntry, Span, read_entry
from anymask.dataset.members import read_members
from anymask.dataset.pairs import is_sa1b_name, pair_up
from anymask.dataset.record import Record
from anymask.errors import DatasetError

PICTURE_SUFFIXES = frozenset({".webp", ".jpg", ".jpeg"})
MAP_SUFFIX = ".png"
OWN_FOLDERS = frozenset({"work"})
"""What may lie beside the shards of a dataset that is being made."""
_UNSAFE_CHARACTERS = re.compile(r"[\x00-\x1f\x7f\\]")
_MAP_NUMBER = re.compile(r"^(?P<id>.+)__(?P<number>\d{1,6})$")


@dataclass(slots=True)
class _Draft:
    """A record whose members are still being met."""

    set_name: str
    id: str
    image: Span
    maps: dict[int, Span] = field(default_factory=dict)

    def entry(self) -> RecordEntry:
        ordered = tuple(self.maps[number] for number in sorted(self.maps))
        return RecordEntry(self.id, self.set_name, self.image, ordered)


def read_source(path: Path | str, limits: ReadLimits | None = None) -> Iterator[Record]:
    """The records of a tar shard or of a folder of sets, whichever `path` is.

    Raises: DatasetError when there is nothing there, or it is damaged, unsafe or not of the form.
    """
    path = Path(path)
    return read_folder(path, limits) if path.is_dir() else read_shards([path], limits)


def read_shards(paths: Iterable[Path | str], limits: ReadLimits | None = None) -> Iterator[Record]:
    """The records of tar shards, shard after shard, in the order they are stored; one record is in memory at a time.

    Raises: DatasetError, at the record where it is met: an unsafe, duplicate or oversized member, too many members,
    a damaged or compressed shard, a label map without its picture before it, two forms in one shard.
    """
    shard_of: dict[str, Path] = {}
    for path in paths:
        for entry in _entries(Path(path), limits or ReadLimits()):
            _refuse_repeat(shard_of, entry)
            yield read_entry(entry)


def index_shards(paths: Iterable[Path | str], limits: ReadLimits | None = None) -> list[RecordEntry]:
    """The position of every record of tar shards, in stored order; reads headers only.

    Raises: DatasetError as `read_shards`.
    """
    shard_of: dict[str, Path] = {}
    entries = []
    for path in paths:
        for entry in _entries(Path(path), limits or ReadLimits()):
            _refuse_repeat(shard_of, entry)
            entries.append(entry)
    return entries


def read_folder(path: Path | str, limits: ReadLimits | None = None) -> Iterator[Record]:
    """The records of a folder with one sub-folder a set, sorted by set, then by id; or of a folder of SA-1B's files.
    Files that start with a dot are passed over, and so is what lies beside the set folders (a README, say).

    Raises: DatasetError for no set at all, a link, a file of another kind, a label map without its picture, two forms
    in one folder.
    """
    return (read_entry(entry) for entry in index_folder(path, limits))


def index_folder(path: Path | str, limits: ReadLimits | None = None) -> Iterator[RecordEntry]:
    """The place of every record of a folder, in the order of `read_folder`; reads names and sizes only.

    Raises: DatasetError as `read_folder`.
    """
    root, limits = Path(path), limits or ReadLimits()
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; give a folder of SET/ID.webp and SET/ID.png, or a .tar shard")
    items = sorted(item for item in root.iterdir() if not item.name.startswith("."))
    if any(is_sa1b_name(item.name) for item in items):
        yield from pair_up(_files(root, items, limits), str(root))
        return
    shards = [item for item in items if item.suffix == ".tar"]
    if shards:
        yield from _folder_of_shards(root, items, shards, limits)
        return
    folders = [item for item in items if item.is_dir()]
    if not folders and any(item.suffix.lower() in PICTURE_SUFFIXES for item in items):
        yield from _index_set(root.resolve(), limits)
        return
    if not folders:
        raise DatasetError(
            f"{root} holds no set; put pictures and label maps in a sub-folder: {root}/SET/ID.webp, ID.png"
        )
    for folder in folders:
        if folder.is_symlink():
            raise DatasetError(f"{folder} is a link; copy the set folder itself")
        yield from _index_set(folder, limits)


def _folder_of_shards(root: Path, items: list[Path], shards: list[Path], limits: ReadLimits) -> Iterator[RecordEntry]:
    """The entries of each shard in order of names; one shard's headers are read at a time."""
    if any(item.is_dir() and any(item.glob("*.*")) for item in items if item.name not in OWN_FOLDERS):
        raise DatasetError(f"{root} holds shards and set folders; a folder holds one kind, so move the others")
    for shard in shards:
        if shard.is_symlink():
            raise DatasetError(f"{shard} is a link; copy the shard itself")
        yield from _entries(shard, limits)


def _index_set(folder: Path, limits: ReadLimits) -> Iterator[RecordEntry]:
    items = sorted(item for item in folder.iterdir() if not item.name.startswith("."))
    files = _files(folder, items, limits)
    if any(is_sa1b_name(item.name) and item.suffix == ".json" for item in items):
        yield from pair_up(files, str(folder))
        return
    pictures: dict[str, _Draft] = {}
    maps: list[Span] = []
    for name, span in files:
        _, stem, suffix = _parse_name(f"{folder.name}/{name}", str(folder.parent))
        if suffix == MAP_SUFFIX:
            maps.append(span)
        elif stem in pictures:
            raise DatasetError(f"{pictures[stem].image.file} and {span.file} are two pictures of one id; keep one")
        else:
            pictures[stem] = _Draft(folder.name, stem, span)
    for span in maps:
        owner, number = _owner_of_map(span.file.stem, pictures)
        if owner is None or number in pictures[owner].maps:
            why = "has no picture beside it" if owner is None else "has the number of another label map"
            raise DatasetError(f"{span.file} {why}; a label map is named ID.png or ID__K.png after its picture ID.webp")
        pictures[owner].maps[number] = span
    yield from (draft.entry() for draft in pictures.values())


def _files(folder: Path, items: list[Path], limits: ReadLimits) -> Iterator[tuple[str, Span]]:
    """Name and place of each of `items`, each checked before it is given."""
    if len(items) > limits.max_members:
        raise DatasetError(f"{folder} holds more than {limits.max_members} files; split it, or raise max_members")
    for file in items:
        if file.is_symlink() or not file.is_file():
            raise DatasetError(f"{file} is not a plain file; a set folder holds pictures and their masks only")
        size = file.stat().st_size
        if size > limits.max_member_bytes:
            raise DatasetError(f"{file} is larger than {limits.max_member_bytes} bytes; shrink it, or raise the limit")
        yield file.name, Span(file, 0, size)


def _entries(shard: Path, limits: ReadLimits) -> Iterator[RecordEntry]:
    """The entries of one shard; its first name tells the form."""
    members = read_members(shard, limits)
    first = next(members, None)
    if first is None:
        return
    members = chain([first], members)
    yield from pair_up(members, str(shard)) if is_sa1b_name(first[0]) else _labelled_entries(members, shard)


def _labelled_entries(members: Iterable[tuple[str, Span]], shard: Path) -> Iterator[RecordEntry]:
    """The entries of a shard of label maps. A record ends where the next picture begins."""
    draft: _Draft | None = None
    for set_name, stem, suffix, span in _parse_members(members, shard):
        if suffix != MAP_SUFFIX:
            if draft is not None:
                yield draft.entry()
            draft = _Draft(set_name, stem, span)
            continue
        owner, number = _owner_of_map(stem, () if draft is None or draft.set_name != set_name else (draft.id,))
        if draft is None or owner is None or number in draft.maps:
            raise DatasetError(
                f"{shard}: label map {set_name}/{stem}{MAP_SUFFIX} does not follow its picture; "
                "store SET/ID.webp first, then SET/ID.png or SET/ID__K.png"
            )
        draft.maps[number] = span
    if draft is not None:
        yield draft.entry()


def _parse_members(members: Iterable[tuple[str, Span]], shard: Path) -> Iterator[tuple[str, str, str, Span]]:
    """(set, stem, suffix, span) of every member, each checked before it is given."""
    seen: set[tuple[str, str, str]] = set()
    for name, span in members:
        if is_sa1b_name(name):
            raise DatasetError(
                f"{shard}: {name!r} of SA-1B's form among SET/ID.webp and SET/ID.png; a shard holds one form, "
                "so put the other in one of its own"
            )
        set_name, stem, suffix = _parse_name(name, str(shard))
        # Two pictures of one id (a.webp, a.jpg) would be two records of one name.
        key = (set_name, stem, MAP_SUFFIX if suffix == MAP_SUFFIX else "picture")
        if key in seen:
            raise DatasetError(f"{shard}: {name!r} is there twice; write the shard again with each name once")
        seen.add(key)
        yield set_name, stem, suffix, span


def _parse_name(name: str, where: str) -> tuple[str, str, str]:
    """(set, stem, lower-case suffix) of `SET/ID.suffix`; refuses every name that is not exactly that."""
    parts = name.split("/")
    safe = len(parts) == 2 and not _UNSAFE_CHARACTERS.search(name) and not any(part.startswith(".") for part in parts)
    if not safe or not all(parts):
        raise DatasetError(f"{where}: unsafe or unknown member name {name[:200]!r}; expected SET/ID.webp or SET/ID.png")
    leaf = PurePosixPath(parts[1])
    suffix = leaf.suffix.lower()
    if suffix not in PICTURE_SUFFIXES and suffix != MAP_SUFFIX:
        allowed = ", ".join(sorted(PICTURE_SUFFIXES))
        raise DatasetError(f"{where}: {name[:200]!r} is neither a picture ({allowed}) nor a label map (.png)")
    return parts[0], leaf.stem, suffix


def _owner_of_map(stem: str, pictures: Iterable[str]) -> tuple[str | None, int]:
    """The picture a label map belongs to and the map's number (-1 without one); None when there is no such picture."""
    names = pictures if isinstance(pictures, dict) else set(pictures)
    if stem in names:
        return stem, -1
    match = _MAP_NUMBER.match(stem)
    if match and match["id"] in names:
        return match["id"], int(match["number"])
    return None, -1


def _refuse_repeat(shard_of: dict[str, Path], entry: RecordEntry) -> None:
    if entry.name in shard_of:
        raise DatasetError(
            f"{entry.name} is in {shard_of[entry.name]} and in {entry.image.file}; give each picture once"
        )
    shard_of[entry.name] = entry.image.file
