"""COCO's one file of annotations while an export goes on: it grows on disk and not in memory."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from anymask.dataset.formats.coco import (
    OBJECT,
    CocoPicture,
    category_list,
    category_names_of,
    picture_annotations,
    picture_image,
)
from anymask.masks.types import MaskSet

NAME = "annotations.json"
_KINDS = ("images", "annotations")


class CocoSpool:
    """Two files, one of each list of the COCO file; its entries stand in lines of their own."""

    def __init__(self, streams: dict[str, BinaryIO], noted: dict[str, Any]) -> None:
        """Goes on where `noted` says; see `note`."""
        self._streams = streams
        self._names: dict[str, int] = dict(noted.get("names", {}))
        self._annotations = int(noted.get("annotation_count", 0))
        for kind, stream in streams.items():
            stream.truncate(int(noted.get(kind, 0)))
            stream.seek(0, os.SEEK_END)

    def add(self, image_id: int, file_name: str, masks: MaskSet, labels: Sequence[str | None]) -> None:
        """One picture; a mask without a label is an "object"."""
        ids = tuple(self._names.setdefault(label or "object", len(self._names) + OBJECT) for label in labels)
        picture = CocoPicture(image_id=image_id, file_name=file_name, masks=masks, category_ids=ids)
        found = picture_annotations(picture, self._annotations + 1, self._categories())
        self._annotations += len(found)
        for kind, entries in zip(_KINDS, ([picture_image(picture)], found), strict=True):
            stream = self._streams[kind]
            for entry in entries:
                stream.write((b",\n" if stream.tell() else b"\n") + json.dumps(entry).encode())

    def note(self) -> dict[str, Any]:
        """How far it is, on disk: give it to the spool that goes on."""
        for stream in self._streams.values():
            stream.flush()
            os.fsync(stream.fileno())
        places = {kind: stream.tell() for kind, stream in self._streams.items()}
        return {**places, "annotation_count": self._annotations, "names": self._names}

    def write_into(self, tar: tarfile.TarFile) -> None:
        """The whole file, as a member of the archive."""
        categories = json.dumps(category_list(self._categories()))
        parts: list[BinaryIO] = [io.BytesIO(b'{"images": [')]
        parts += [self._streams["images"], io.BytesIO(b'\n],\n"annotations": ['), self._streams["annotations"]]
        parts += [io.BytesIO(f'\n],\n"categories": {categories}}}\n'.encode())]
        info = tarfile.TarInfo(NAME)
        for part in parts:
            part.flush()
            info.size += part.seek(0, os.SEEK_END)
            part.seek(0)
        tar.addfile(info, _Chain(parts))

    def _categories(self) -> dict[int, str]:
        return category_names_of({number: name for name, number in self._names.items()} or None)


@contextmanager
def open_spool(part: Path, noted: dict[str, Any]) -> Iterator[CocoSpool]:
    """The spool beside the growing archive `part`."""
    paths = _paths(part)
    for path in paths.values():
        path.touch()
    with paths["images"].open("r+b") as images, paths["annotations"].open("r+b") as annotations:
        yield CocoSpool({"images": images, "annotations": annotations}, noted)


def has_all(part: Path, noted: dict[str, Any]) -> bool:
    """Whether the files that were noted are here and as long as noted."""
    return all(not noted.get(kind) or _size(path) >= noted[kind] for kind, path in _paths(part).items())


def remove_spool(part: Path) -> None:
    """The files, if there are any."""
    for path in _paths(part).values():
        path.unlink(missing_ok=True)


def _paths(part: Path) -> dict[str, Path]:
    return {kind: part.with_suffix(f".{kind}") for kind in _KINDS}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


class _Chain(io.RawIOBase):
    """Files one after the other."""

    def __init__(self, parts: Sequence[BinaryIO]) -> None:
        self._parts = list(parts)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; fewer only at the end."""
        found = b""
        while self._parts and len(found) < size:
            data = self._parts[0].read(size - len(found))
            found += data
            if not data:
                self._parts.pop(0)
        return found
