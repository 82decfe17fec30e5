"""Records from tar shards and folders of the form SET/ID.webp, SET/ID.png or SET/ID__K.png; nothing is extracted."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from anymask.dataset.record import Record
from anymask.errors import DatasetError

PICTURE_SUFFIXES = frozenset({".webp", ".jpg", ".jpeg"})
MAP_SUFFIX = ".png"
MAX_HEADER_BYTES = 2**20
"""Most bytes of one extended tar header (a long name)."""
_UNSAFE_CHARACTERS = re.compile(r"[\x00-\x1f\x7f\\]")
_MAP_NUMBER = re.compile(r"^(?P<id>.+)__(?P<number>\d{1,6})$")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadLimits:
    """What a shard or folder may hold before it is refused."""

    max_members: int = 200_000
    """Most members of one shard, or files of one set folder."""
    max_member_bytes: int = 64 * 2**20
    """Most bytes of one member or file."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a member's bytes lie in its shard."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """One record of a shard by position, for reading in any order (see `read_entry`)."""

    id: str
    set_name: str
    shard: Path
    image: Span
    maps: tuple[Span, ...]

    @property
    def name(self) -> str:
        """`SET/ID`."""
        return f"{self.set_name}/{self.id}"


@dataclass(slots=True)
class _Draft:
    """A record whose members are still being met."""

    set_name: str
    id: str
    image: Span
    maps: dict[int, Span] = field(default_factory=dict)

    def entry(self, shard: Path) -> ShardEntry:
        ordered = tuple(self.maps[number] for number in sorted(self.maps))
        return ShardEntry(self.id, self.set_name, shard, self.image, ordered)


def read_source(path: Path | str, limits: ReadLimits | None = None) -> Iterator[Record]:
    """The records of a tar shard or of a folder of sets, whichever `path` is.

    Raises: DatasetError when there is nothing there, or it is damaged, unsafe or not of the form.
    """
    path = Path(path)
    return read_folder(path, limits) if path.is_dir() else read_shards([path], limits)


def read_shards(paths: Iterable[Path | str], limits: ReadLimits | None = None) -> Iterator[Record]:
    """The records of tar shards, shard after shard, in the order they are stored; one record is in memory at a time.

    Raises: DatasetError, at the record where it is met: an unsafe, duplicate or oversized member, too many members,
    a damaged or compressed shard, a label map without its picture before it.
    """
    shard_of: dict[str, Path] = {}
    for path in paths:
        for entry in _entries(Path(path), limits or ReadLimits()):
            _refuse_repeat(shard_of, entry)
            yield read_entry(entry)


def index_shards(paths: Iterable[Path | str], limits: ReadLimits | None = None) -> list[ShardEntry]:
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


def read_entry(entry: ShardEntry) -> Record:
    """The record at `entry`.

    Raises: DatasetError when its shard is gone or shorter than when it was indexed.
    """
    try:
        with entry.shard.open("rb") as stream:
            chunks = []
            for span in (entry.image, *entry.maps):
                stream.seek(span.offset)
                chunk = stream.read(span.size)
                if len(chunk) != span.size:
                    raise DatasetError(
                        f"{entry.shard} ends inside {entry.name}; copy the shard again, then index it again"
                    )
                chunks.append(chunk)
    except OSError as error:
        raise DatasetError(f"{entry.shard} cannot be read: {error}") from error
    return Record(entry.id, entry.set_name, chunks[0], tuple(chunks[1:]))


def read_folder(path: Path | str, limits: ReadLimits | None = None) -> Iterator[Record]:
    """The records of a folder with one sub-folder a set, sorted by set, then by id. Files that start with a dot are
    passed over, and so is what lies beside the set folders (a README, say).

    Raises: DatasetError for no set at all, a link, a file of another kind, a label map without its picture.
    """
    root, limits = Path(path), limits or ReadLimits()
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; give a folder of SET/ID.webp and SET/ID.png, or a .tar shard")
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not folders:
        raise DatasetError(
            f"{root} holds no set; put pictures and label maps in a sub-folder: {root}/SET/ID.webp, ID.png"
        )
    for folder in folders:
        if folder.is_symlink():
            raise DatasetError(f"{folder} is a link; copy the set folder itself")
        yield from _read_set(folder, limits)


def _read_set(folder: Path, limits: ReadLimits) -> Iterator[Record]:
    pictures: dict[str, Path] = {}
    maps: list[Path] = []
    for count, file in enumerate(sorted(item for item in folder.iterdir() if not item.name.startswith(".")), start=1):
        if count > limits.max_members:
            raise DatasetError(f"{folder} holds more than {limits.max_members} files; split it, or raise max_members")
        if file.is_symlink() or not file.is_file():
            raise DatasetError(f"{file} is not a plain file; a set folder holds pictures and label maps only")
        _, stem, suffix = _parse_name(f"{folder.name}/{file.name}", str(folder.parent))
        if file.stat().st_size > limits.max_member_bytes:
            raise DatasetError(f"{file} is larger than {limits.max_member_bytes} bytes; shrink it, or raise the limit")
        if suffix == MAP_SUFFIX:
            maps.append(file)
        elif stem in pictures:
            raise DatasetError(f"{pictures[stem]} and {file} are two pictures of one id; keep one")
        else:
            pictures[stem] = file
    grouped: dict[str, dict[int, Path]] = {stem: {} for stem in pictures}
    for file in maps:
        owner, number = _owner_of_map(file.stem, pictures)
        if owner is None or number in grouped[owner]:
            why = "has no picture beside it" if owner is None else "has the number of another label map"
            raise DatasetError(f"{file} {why}; a label map is named ID.png or ID__K.png after its picture ID.webp")
        grouped[owner][number] = file
    for stem, file in pictures.items():
        ordered = [grouped[stem][number] for number in sorted(grouped[stem])]
        yield Record(stem, folder.name, file.read_bytes(), tuple(one.read_bytes() for one in ordered))


def _entries(shard: Path, limits: ReadLimits) -> Iterator[ShardEntry]:
    """The entries of one shard. A record ends where the next picture begins."""
    draft: _Draft | None = None
    for set_name, stem, suffix, span in _members(shard, limits):
        if suffix != MAP_SUFFIX:
            if draft is not None:
                yield draft.entry(shard)
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
        yield draft.entry(shard)


def _members(shard: Path, limits: ReadLimits) -> Iterator[tuple[str, str, str, Span]]:
    """(set, stem, suffix, span) of every file member, each checked before it is given."""
    seen: set[tuple[str, str, str]] = set()
    for member in _headers(shard):
        if len(seen) >= limits.max_members:
            raise DatasetError(f"{shard} holds more than {limits.max_members} members; split it, or raise max_members")
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.sparse is not None:
            raise DatasetError(
                f"{shard}: member {member.name!r} is not a plain file (a link, device, folder or sparse file)"
            )
        if not 0 <= member.size <= limits.max_member_bytes:
            raise DatasetError(
                f"{shard}: {member.name!r} has {member.size} bytes, the limit is {limits.max_member_bytes}"
            )
        name = _parse_name(member.name, str(shard))
        # Two pictures of one id (a.webp, a.jpg) would be two records of one name.
        key = (name[0], name[1], MAP_SUFFIX if name[2] == MAP_SUFFIX else "picture")
        if key in seen:
            raise DatasetError(f"{shard}: {member.name!r} is there twice; write the shard again with each name once")
        seen.add(key)
        yield *name, Span(member.offset_data, member.size)


class _HeaderStream(io.BufferedReader):
    """A file that gives no more bytes at once than an honest header needs: a false size must not fill the memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header claims {size} bytes")
        return super().read(size)


def _headers(shard: Path) -> Iterator[tarfile.TarInfo]:
    """Every member header of an uncompressed tar, to its end mark.

    `tarfile` ends quietly at a damaged header that is not the first; what follows would be lost without a word, so the
    end mark is looked for.
    """
    try:
        with _HeaderStream(shard) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            while (member := archive.next()) is not None:
                yield member
            stream.seek(archive.offset)
            if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
                raise DatasetError(f"{shard} is damaged or cut off at byte {archive.offset}; copy it again")
    except FileNotFoundError as error:
        raise DatasetError(f"{shard} does not exist; give a .tar shard or a folder of sets") from error
    except (tarfile.TarError, OSError, EOFError, ValueError, RecursionError) as error:
        raise DatasetError(f"{shard} is not a whole, uncompressed tar shard: {error}") from error


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


def _refuse_repeat(shard_of: dict[str, Path], entry: ShardEntry) -> None:
    if entry.name in shard_of:
        raise DatasetError(f"{entry.name} is in {shard_of[entry.name]} and in {entry.shard}; give each picture once")
    shard_of[entry.name] = entry.shard
