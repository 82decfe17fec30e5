"""What comes out: masks as run lengths, boxes, polygons and scores. Pure array functions, no network, no disk.

Takes: boolean masks or logits in original pixels; RLE and polygons from outside, through gates.
Gives: `Rle` and `MaskSet`, boxes, overlaps, kept indices, cleaned masks.
Next: `predict/` makes them, `dataset/formats/` writes them, `training/` and `evaluation/` score with them.
"""

from anymask.masks.types import MaskSet, Rle

__all__ = ["MaskSet", "Rle"]
