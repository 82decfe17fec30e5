"""Masks of pictures as files in a folder, in the forms asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anymask.errors import PathError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from anymask.dataset.formats import CocoPicture
    from anymask.masks.types import MaskSet
    from anymask.prompts.types import Prompt


class Format(StrEnum):
    """A form in which masks are written."""

    SA1B = "sa1b"
    COCO = "coco"
    PNG = "png"
    OVERLAY = "overlay"


def unique_stems(pictures: Sequence[Path]) -> list[str]:
    """A file name without ending for each picture: its own, numbered where two would be the same.

    >>> unique_stems([Path("a/cup.jpg"), Path("b/cup.png"), Path("b/Cup.png"), Path("tea.png")])
    ['cup', 'cup_2', 'Cup_3', 'tea']
    """
    taken: set[str] = set()
    stems = []
    for picture in pictures:
        stem, number = picture.stem, 1
        # Some file systems do not tell cases apart.
        while stem.casefold() in taken:
            number += 1
            stem = f"{picture.stem}_{number}"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


class AnswerFolder:
    """The output folder of one run. Every file is there whole or not at all.

    `STEM.json` is SA-1B's form, `STEM_labels.png` a 16-bit label map, `STEM_overlay.png` the picture with its masks
    drawn on it, `coco.json` one COCO file of all pictures.
    """

    def __init__(self, folder: Path, formats: Sequence[Format]) -> None:
        """Make the folder if need be.

        Raises: PathError when it cannot be made.
        """
        self.folder = folder
        self.formats = tuple(dict.fromkeys(formats))
        self._count = 0
        self._coco: list[CocoPicture] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PathError(f"the folder {folder} cannot be made ({error.strerror}); name another") from error

    def add(
        self, picture: Path, stem: str, pixels: npt.NDArray[np.uint8], masks: MaskSet, prompts: Sequence[Prompt]
    ) -> dict[str, str]:
        """Write one picture's masks; gives the path of each form written.

        Raises: PathError when a file cannot be written.
        """
        from anymask.dataset.formats import CocoPicture, to_png, to_sa1b
        from anymask.figures import encode, overlay

        self._count += 1
        written: dict[str, str] = {}
        for form in self.formats:
            if form is Format.SA1B:
                data = json.dumps(to_sa1b(masks, self._count, picture.name), allow_nan=False).encode()
                written[form.value] = self._write(f"{stem}.json", data)
            elif form is Format.COCO:
                self._coco.append(CocoPicture(image_id=self._count, file_name=picture.name, masks=masks))
            elif form is Format.PNG:
                written[form.value] = self._write(f"{stem}_labels.png", to_png(masks))
            elif form is Format.OVERLAY:
                data = encode(overlay(pixels, masks, prompts=prompts))
                written[form.value] = self._write(f"{stem}_overlay.png", data)
        return written

    def add_edges(self, stem: str, strength: npt.NDArray[np.float32]) -> str:
        """Write `STEM_edges.png`, an 8-bit grey picture of an (H, W) edge map of [0, 1]; gives its path.

        Raises: PathError when it cannot be written.
        """
        from anymask.dataset.formats.edge_png import encode_edges

        return self._write(f"{stem}_edges.png", encode_edges(strength))

    def finish(self) -> str | None:
        """Write the COCO file, if it is wanted; gives its path.

        Raises: PathError when it cannot be written.
        """
        from anymask.dataset.formats import to_coco

        if Format.COCO not in self.formats:
            return None
        return self._write("coco.json", json.dumps(to_coco(self._coco), allow_nan=False).encode())

    def _write(self, name: str, data: bytes) -> str:
        from anymask.images.paths import safe_join
        from anymask.runs import write_atomically

        path = safe_join(self.folder, name)
        try:
            write_atomically(path, data)
        except OSError as error:
            raise PathError(f"{path} cannot be written ({error.strerror}); what was there before is whole") from error
        return str(self.folder / name)


def describe_masks(masks: MaskSet, picture: Path, masks_per_prompt: int | None) -> list[dict[str, Any]]:
    """The masks for JSON: SA-1B's annotations, each with the index of its prompt when there were prompts."""
    from anymask.dataset.formats import to_sa1b

    annotations: list[dict[str, Any]] = to_sa1b(masks, 1, picture.name)["annotations"]
    if masks_per_prompt is None:
        return annotations
    return [annotation | {"prompt": index // masks_per_prompt} for index, annotation in enumerate(annotations)]
