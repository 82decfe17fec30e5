"""The work of one run, written down before it begins: every picture by content, in pieces that are named by content.

`manifest.jsonl` has a head (settings, sources) and a line for each picture; it stays on disk, and one piece's lines are
read when a worker takes it. A piece's name is a hash of its pictures, their numbers and the settings: whoever makes
it, and however often, makes the same file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from anymask.data_engine.generation.config import GenerateConfig
from anymask.data_engine.generation.places import Place, Sources
from anymask.errors import AnymaskError, ConfigError, DatasetError, RunError
from anymask.runs import from_plain, to_plain

FILE = "manifest.jsonl"
DUPLICATE = "it is the same file as "
"""Begins the reason of a picture that was met before."""


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to be done."""

    number: int
    """N of sa_N."""
    place: Place
    sha256: str
    """Of the file as it was when the run began; empty when it could not be read."""
    problem: str = ""
    """Why it is set aside before anybody tries; empty for most."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some pictures of one shard that one worker does together."""

    name: str
    """Hash of what it will hold."""
    shard: int
    start: int
    """Byte of the manifest at which its lines begin."""
    pictures: int


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """A manifest on disk."""

    path: Path
    config: GenerateConfig
    sources: tuple[str, ...]
    only: tuple[str, ...]
    pieces: tuple[Piece, ...]
    """None in a worker's (`open_for_work`), which is given one after the other."""

    @property
    def pictures(self) -> int:
        """How many there are, those set aside included."""
        return sum(piece.pictures for piece in self.pieces)

    def items(self, piece: Piece) -> list[Item]:
        """The pictures of one piece, in order.

        Raises: RunError when the manifest is damaged.
        """
        with self.path.open("rb") as stream:
            stream.seek(piece.start)
            return [_item(line, self.path) for line in islice(stream, piece.pictures)]

    def pieces_of_shard(self) -> dict[int, list[Piece]]:
        """Shard -> its pieces in order."""
        found: dict[int, list[Piece]] = {}
        for piece in self.pieces:
            found.setdefault(piece.shard, []).append(piece)
        return found


def write_manifest(
    path: Path,
    config: GenerateConfig,
    given: Sequence[str],
    only: Sequence[str] = (),
    update: Callable[[int], None] | None = None,
) -> None:
    """Hash every picture of the sources and write the manifest, whole or not at all.

    A picture that was met before (the same bytes) or cannot be read keeps its number and is set aside. `update` is
    called with the pictures hashed so far.

    Raises: DatasetError when a source has nothing or cannot be read, or none of its pictures fits `only`.
    """
    sources = Sources(given)
    temporary = path.with_name(f".{path.name}.tmp")
    first: dict[bytes, str] = {}
    count = 0
    try:
        with temporary.open("w") as stream:
            head = {"config": to_plain(config), "sources": _absolute(given), "only": list(only)}
            stream.write(json.dumps(head) + "\n")
            for count, place in enumerate(sources.places(only), start=1):
                item = _hashed(sources, place, config.first_number + count - 1, first)
                stream.write(json.dumps(to_plain(item)) + "\n")
                if update is not None:
                    update(count)
            stream.flush()
        if count == 0:
            raise DatasetError(
                f"no picture of {', '.join(given)} fits {', '.join(only)}; names are paths inside a source"
            )
        temporary.replace(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written ({error.strerror}); make room or name another folder") from error
    finally:
        temporary.unlink(missing_ok=True)


def open_manifest(path: Path) -> Manifest:
    """The manifest at `path`; each line is read once to cut the pieces.

    Raises: RunError when it is damaged.
    """
    return _open(path, with_pieces=True)


def open_for_work(path: Path) -> Manifest:
    """The manifest at `path` without its pieces: opened at once, however many pictures there are.

    Raises: RunError when its head is damaged.
    """
    return _open(path, with_pieces=False)


def _open(path: Path, *, with_pieces: bool) -> Manifest:
    try:
        with path.open("rb") as stream:
            head = json.loads(stream.readline())
            config = from_plain(GenerateConfig, head["config"])
            pieces = tuple(_cut(stream, config, path)) if with_pieces else ()
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise RunError(f"{path} is no manifest of this version ({error}); begin again in a new folder") from error
    return Manifest(path, config, tuple(head["sources"]), tuple(head["only"]), pieces)


def check_same(manifest: Manifest, config: GenerateConfig, given: Sequence[str], only: Sequence[str]) -> None:
    """Passes when a run is asked for what it was begun with.

    Raises: RunError naming what differs.
    """
    before, now = to_plain(manifest.config), to_plain(config)
    differing = [name for name in now if before[name] != now[name]]
    differing += ["source"] if list(manifest.sources) != _absolute(given) else []
    differing += ["only"] if list(manifest.only) != list(only) else []
    if differing:
        raise RunError(
            f"{manifest.path.parent.parent} holds a run that was begun with another {' and '.join(differing)}; give "
            "the same command to go on with it, or name a new folder"
        )


def _absolute(given: Sequence[str]) -> list[str]:
    return [text if "://" in text else str(Path(text).expanduser().absolute()) for text in given]


def _hashed(sources: Sources, place: Place, number: int, first: dict[bytes, str]) -> Item:
    try:
        digest = hashlib.sha256(sources.read(place))
    except AnymaskError as error:
        return Item(number, place, "", str(error))
    before = first.setdefault(digest.digest(), place.name)
    problem = "" if before == place.name else f"{DUPLICATE}{before}"
    return Item(number, place, digest.hexdigest(), problem)


def _cut(stream: Any, config: GenerateConfig, path: Path) -> Iterator[Piece]:
    """The pieces of the lines that follow; none reaches over the end of a shard."""
    at, done = stream.tell(), 0
    settings = f"{config.sha256()} {config.model_sha256} {config.licence}"
    while True:
        left_in_shard = config.pictures_per_shard - done % config.pictures_per_shard
        lines = list(islice(stream, min(config.pictures_per_piece, left_in_shard)))
        if not lines:
            return
        items = [_item(line, path) for line in lines]
        contents = "".join(f"\n{item.number} {item.sha256} {item.place.name}" for item in items)
        name = hashlib.sha256((settings + contents).encode()).hexdigest()[:32]
        yield Piece(name, done // config.pictures_per_shard, at, len(lines))
        at += sum(map(len, lines))
        done += len(lines)


def _item(line: bytes, path: Path) -> Item:
    try:
        # Not `from_plain`: millions of lines are read at the start of a run.
        plain = json.loads(line)
        return Item(plain["number"], Place(**plain["place"]), plain["sha256"], plain["problem"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); begin again in a new folder") from error
