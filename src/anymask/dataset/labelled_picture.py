"""One picture with its masks and what is known of them: what every form of dataset is read as and written from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from anymask.dataset.provenance import Notes
from anymask.dataset.record import Record
from anymask.errors import DatasetError
from anymask.masks.types import MaskSet

Refuse = Callable[[str, str], None]
"""Called with the name of a picture that is left out, and why."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelledPicture:
    """A picture's masks and notes; its pixels only when asked for."""

    name: str
    """Unique in its dataset: `SET/ID` in shards, the file's name in COCO's form."""
    masks: MaskSet
    notes: Notes = field(default_factory=Notes)
    categories: tuple[str, ...] = ()
    """Name of each mask's class; none where masks have no classes."""
    crowds: tuple[bool, ...] = ()
    """Per mask: does it cover a group that nobody took apart (COCO's `iscrowd`); none means that no one does."""
    read_image: Callable[[], bytes] | None = None
    """Gives the picture's file; None when only its masks are at hand."""

    def image_bytes(self) -> bytes:
        """The encoded picture.

        Raises: DatasetError when it is not at hand.
        """
        if self.read_image is None:
            raise DatasetError(f"the picture of {self.name} is not at hand; name its folder with --images")
        return self.read_image()

    def take(self, rows: npt.ArrayLike) -> LabelledPicture:
        """The same picture with the masks at `rows`, in that order."""
        index = np.arange(len(self.masks))[np.asarray(rows)]
        categories = tuple(self.categories[i] for i in index) if self.categories else ()
        crowds = tuple(self.crowds[i] for i in index) if self.crowds else ()
        notes = self.notes.take(index)
        return replace(self, masks=self.masks.take(index), notes=notes, categories=categories, crowds=crowds)

    def without_crowds(self) -> LabelledPicture:
        """The same picture with the masks of single things alone."""
        return self.take([not crowd for crowd in self.crowds]) if any(self.crowds) else self


def labelled(record: Record) -> LabelledPicture:
    """The masks and notes of a record of a shard or folder.

    Raises: DatasetError when they are damaged; ImageError when the picture's header is.
    """
    return LabelledPicture(
        name=record.name, masks=record.masks(), notes=record.notes(), read_image=lambda: record.image_bytes
    )
