"""Masks in the files that others read and write.

Takes: a `MaskSet`, or what a file held (parsed JSON, PNG bytes).
Gives: SA-1B records, COCO files and PNG label maps; and `MaskSet`s back, through the gates of `masks/`.
Next: `cli/` and `data_engine/` write them; `evaluation/` reads them.
"""

from anymask.dataset.formats.coco import CocoPicture, from_coco, to_coco
from anymask.dataset.formats.coco_file import CocoFile
from anymask.dataset.formats.lvis import LvisFile, to_lvis
from anymask.dataset.formats.png import from_png, to_png
from anymask.dataset.formats.sa1b import from_sa1b, to_sa1b

__all__ = [
    "CocoFile",
    "CocoPicture",
    "LvisFile",
    "from_coco",
    "from_png",
    "from_sa1b",
    "to_coco",
    "to_lvis",
    "to_png",
    "to_sa1b",
]
