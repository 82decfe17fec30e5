"""A COCO file of any size, read picture by picture: what is held in memory is where each annotation stands.

The file is gone through once, entry by entry. Of an annotation its place is kept, and it is read again when its picture
is asked for; pictures and categories are kept as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from json.decoder import JSONDecoder
from typing import Any, BinaryIO

from anymask.dataset.entries import Span
from anymask.dataset.formats.coco import (
    CocoPicture,
    category_names,
    image_file_name,
    new_image_id,
    objects,
    read_picture,
)
from anymask.errors import DatasetError, MaskError
from anymask.masks.validate import shown

_PART_BYTES = 2**20
_MAX_ENTRY_BYTES = 64 * 2**20
"""Of one picture, annotation or category."""
_SPACE = " \t\n\r"


class CocoIndex:
    """The pictures and categories of one COCO file, and where its annotations are."""

    def __init__(self, span: Span) -> None:
        """Of the file, or member of an archive, at `span`.

        Raises: DatasetError when it cannot be read, is cut, or is no JSON; MaskError when it has another form or an
        annotation names an unknown picture.
        """
        self._span = span
        self._images: dict[int, Mapping[str, Any]] = {}
        self._places: dict[int, list[tuple[int, int]]] = {}
        categories: list[Any] = []
        try:
            with span.file.open("rb") as stream:
                entries = _Entries(stream, span)
                for key, value, place in entries:
                    if key == "categories":
                        categories.append(json.loads(_read(stream, place)))
                    elif key == "images":
                        self._add_image(json.loads(_read(stream, place)))
                    elif key == "annotations":
                        owner = value.get("image_id") if isinstance(value, dict) else None
                        if type(owner) is not int:
                            raise MaskError(f"annotation {shown(value)} belongs to no picture")
                        self._places.setdefault(owner, []).append(place)
        except OSError as error:
            raise DatasetError(f"{span.file} cannot be read ({error.strerror}); copy it again") from error
        except MaskError:  # a ValueError, too
            raise
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{span.file} cannot be read as JSON ({error}); copy it again") from error
        for key in ("images", "annotations"):
            if key not in entries.lists:
                raise MaskError(f'a COCO file must have "{key}", a list of objects')
        for owner in self._places:
            if owner not in self._images:
                raise MaskError(f"an annotation belongs to image {owner}, which is not in the file")
        self.categories = category_names({"categories": categories} if categories else {})
        """Id -> name, empty when the file names none."""

    @property
    def image_ids(self) -> tuple[int, ...]:
        """In the order of the file."""
        return tuple(self._images)

    def file_name(self, image_id: int) -> str:
        """Where the picture lies below its folder; join with `images.paths.safe_join` only."""
        return image_file_name(self._images[image_id])

    def picture(self, image_id: int) -> CocoPicture:
        """One picture with its masks.

        Raises: MaskError when a mask is refused; DatasetError when the file is damaged there, gone, or another by now.
        """
        try:
            with self._span.file.open("rb") as stream:
                found = [json.loads(_read(stream, place)) for place in self._places.get(image_id, [])]
        except (OSError, ValueError) as error:  # annotations were not taken for UTF-8 before: it may be no text
            raise DatasetError(
                f"{self._span.file} is damaged, or changed while it was read ({error}); copy it again, then import it"
            ) from error
        return read_picture(self._images[image_id], found)

    def _add_image(self, image: Any) -> None:
        (image,) = objects({"images": [image]}, "images")
        image_file_name(image)
        self._images[new_image_id(image, self._images)] = image


def _read(stream: BinaryIO, place: tuple[int, int]) -> bytes:
    stream.seek(place[0])
    return stream.read(place[1])


class _Entries:
    """(key, value, place) of every entry of the lists in a JSON object; its other values are passed over.

    The place is offset and length in the file. Text is taken for Latin-1, in which a byte is a character: it finds the
    places right, and the text of values wrong, where it is not ASCII.
    """

    def __init__(self, stream: BinaryIO, span: Span) -> None:
        self._stream, self._next = stream, span.offset
        self._end = span.offset + span.size
        self._text, self._at = "", 0
        self._decoder = JSONDecoder()
        self.lists: set[str] = set()
        """Keys of the lists met so far."""

    def __iter__(self) -> Iterator[tuple[str, Any, tuple[int, int]]]:
        if self._peek() == "\xef":  # a byte order mark
            self._at += 3
        self._take("{")
        while self._peek() != "}":
            key, _ = self._value()
            self._take(":")
            if self._peek() == "[":
                self.lists.add(str(key))
                yield from ((str(key), value, place) for value, place in self._list())
            else:
                self._value()
            if self._peek() == ",":
                self._take(",")
            elif self._peek() != "}":
                raise ValueError(f"expected , or }} at byte {self._offset()}")

    def _list(self) -> Iterator[tuple[Any, tuple[int, int]]]:
        self._take("[")
        while self._peek() != "]":
            yield self._value()
            if self._peek() == ",":
                self._take(",")
            elif self._peek() != "]":
                raise ValueError(f"expected , or ] at byte {self._offset()}")
        self._take("]")

    def _value(self) -> tuple[Any, tuple[int, int]]:
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                # A number at the end of what was read may go on.
                after = self._text[end : end + 1]
                if (after and after not in ".eE") or not self._grow():
                    break
            except json.JSONDecodeError:
                if len(self._text) - self._at > _MAX_ENTRY_BYTES or not self._grow():
                    raise
        place = (self._offset(), end - self._at)
        self._at = end
        return value, place

    def _peek(self) -> str:
        """The next character that is no space."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._grow():
                raise ValueError("it ends too early")

    def _take(self, character: str) -> None:
        if self._peek() != character:
            raise ValueError(f"expected {character} at byte {self._offset()}")
        self._at += 1

    def _offset(self) -> int:
        return self._next - len(self._text) + self._at

    def _grow(self) -> bool:
        """Read on; False at the end."""
        self._stream.seek(self._next)
        part = self._stream.read(min(_PART_BYTES, self._end - self._next))
        if not part:
            return False
        self._text, self._at = self._text[self._at :] + part.decode("latin-1"), 0
        self._next += len(part)
        return True
