"""Where pictures are found: files, folders, patterns, tar shards, and the same behind any URL that fsspec reads."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from anymask.dataset.entries import ReadLimits
from anymask.dataset.members import read_members
from anymask.errors import DatasetError
from anymask.images.paths import safe_join

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif"})
_LABELS = ".png"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one picture lies."""

    source: int
    """Which of the sources that were given."""
    name: str
    """For people: the path inside its source; with several sources the source's own name comes first."""
    path: str
    """In the source's file system: a picture, or the shard that it is in."""
    offset: int = -1
    """First byte inside a shard; -1 for a file of its own."""
    size: int = -1
    """Bytes inside a shard; -1 for a file of its own."""


class Sources:
    """What was given to take pictures from.

    Raises: DatasetError when one is not there or cannot be reached.
    """

    def __init__(self, given: Sequence[str]) -> None:
        if not given:
            raise DatasetError("no source was given; name a folder, a pattern, a tar shard or a URL")
        self.given = tuple(given)
        self._heads = _heads(given)
        self._systems: list[tuple[Any, str]] = []
        self._bases: list[str] = []
        for text in given:
            url = text if "://" in text else f"file://{Path(text).expanduser().absolute()}"
            try:
                system, root = fsspec.core.url_to_fs(url)
                self._systems.append((system, root))
                self._bases.append(_base_of(root, is_folder=system.isdir(root)))
            except (ImportError, ValueError, OSError) as error:
                raise DatasetError(f"{text} cannot be opened ({error}); install what fsspec needs for it") from error

    def places(self, only: Sequence[str] = ()) -> Iterator[Place]:
        """Every picture, sorted inside each source; with `only`, those whose name fits one of the patterns.

        Label maps (ID.png or ID__K.png beside a picture ID of another ending) and files of other kinds are passed over.

        Raises: DatasetError when a source has nothing, or a shard is damaged or unsafe.
        """
        for index, text in enumerate(self.given):
            head = self._heads[index]
            found = False
            for place in self._places_of(index):
                found = True
                named = Place(index, head + place.name, place.path, place.offset, place.size)
                if not only or any(fnmatch.fnmatchcase(named.name, pattern) for pattern in only):
                    yield named
            if not found:
                raise DatasetError(f"{text} holds no picture (JPEG, PNG, WebP, GIF) and no tar shard; give another")

    def read(self, place: Place) -> bytes:
        """The bytes of the picture's file.

        Raises: DatasetError when they are not there any more; PathError when a link leads out of the source.
        """
        system, _ = self._systems[place.source]
        try:
            if _is_local(system):  # a link must not lead out of what was given
                base = self._bases[place.source]
                safe_join(base, place.path.removeprefix(base).lstrip("/"))
            with system.open(place.path, "rb") as stream:
                if place.offset < 0:
                    return cast(bytes, stream.read())
                stream.seek(place.offset)
                data = cast(bytes, stream.read(place.size))
        except (OSError, ValueError, EOFError) as error:
            raise DatasetError(f"{place.name} cannot be read ({error}); is its source still there?") from error
        if len(data) != place.size:
            raise DatasetError(f"{place.path} ends inside {place.name}; copy the shard again")
        return data

    def _places_of(self, index: int) -> Iterator[Place]:
        system, root = self._systems[index]
        base = self._bases[index]
        try:
            if system.isdir(root):
                paths = _files_below(root) if _is_local(system) else system.find(root)
            else:
                paths = [root] if system.exists(root) else system.glob(root)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self.given[index]} cannot be listed ({error})") from error
        names = {path.removeprefix(base).lstrip("/"): path for path in sorted(paths)}
        shown = {name: path for name, path in names.items() if not any(p.startswith(".") for p in name.split("/"))}
        for name in _without_label_maps([name for name in shown if PurePosixPath(name).suffix.lower() in PICTURES]):
            yield Place(index, name, shown[name])
        for name, path in shown.items():
            if PurePosixPath(name).suffix == ".tar":
                yield from self._members(index, name, path)

    def _members(self, index: int, name: str, path: str) -> Iterator[Place]:
        system, _ = self._systems[index]
        with closing(cast(BinaryIO, system.open(path, "rb"))) as stream:
            spans = {}
            for member, span in read_members(Path(name), ReadLimits(), stream):
                clean = member.removeprefix("./")
                if PurePosixPath(clean).suffix.lower() not in PICTURES:
                    continue
                if clean in spans:
                    raise DatasetError(f"{name}: {clean!r} is there twice; write the shard again with each name once")
                spans[clean] = span
        for member in _without_label_maps(list(spans)):
            yield Place(index, f"{name}/{member}", path, spans[member].offset, spans[member].size)


def _heads(given: Sequence[str]) -> list[str]:
    """What names of each source begin with: nothing for one source, else its own last part, numbered if it repeats.

    >>> _heads(["cups"]), _heads(["a/cups", "b/cups", "tea.tar"])
    ([''], ['1_cups/', '2_cups/', 'tea.tar/'])
    """
    if len(given) == 1:
        return [""]
    names = [PurePosixPath(text).name for text in given]
    return [f"{i}_{name}/" if names.count(name) > 1 else f"{name}/" for i, name in enumerate(names, start=1)]


def _is_local(system: Any) -> bool:
    return isinstance(system, LocalFileSystem)


def _base_of(root: str, *, is_folder: bool) -> str:
    """The folder from which names are counted: `root`, or what comes before its last part or its first pattern.

    >>> _base_of("/data/cups", is_folder=True), _base_of("/data/cups/a*/*.jpg", is_folder=False)
    ('/data/cups', '/data/cups')
    """
    if is_folder:
        return root
    fixed = re.split(r"[*?\[]", root, maxsplit=1)[0]
    return fixed.rpartition("/")[0]


def _files_below(root: str) -> list[str]:
    """Every file of a local folder; folders that are links are not entered."""
    return [f"{folder}/{name}" for folder, _, names in os.walk(root, followlinks=False) for name in names]


def _without_label_maps(names: Sequence[str]) -> list[str]:
    """`names` in order, less the PNG label maps that belong to a picture of another ending.

    >>> _without_label_maps(["a/1.webp", "a/1.png", "a/1__0.png", "a/2.png"])
    ['a/1.webp', 'a/2.png']
    """
    pictures = {name.rpartition(".")[0] for name in names if not name.lower().endswith(_LABELS)}

    def is_label_map(name: str) -> bool:
        stem, _, ending = name.rpartition(".")
        base, mark, number = stem.rpartition("__")
        return ending.lower() == "png" and (stem in pictures or (bool(mark) and number.isdigit() and base in pictures))

    return [name for name in names if not is_label_map(name)]
