"""What comes out: masks as run lengths, boxes, polygons and scores. Pure array functions, no network, no disk.

Takes: boolean masks or logits in original pixels; RLE and polygons from outside, through gates.
Gives: `Rle` and `MaskSet`, boxes, overlaps, kept indices, cleaned masks, label maps.
Next: `predict/` makes them, `dataset/formats/` writes them, `training/` and `evaluation/` score with them.
"""

from anymask.masks.sets import set_from_label_map, set_from_masks, set_from_rles, to_label_map, to_layers
from anymask.masks.types import MaskSet, Rle

__all__ = ["MaskSet", "Rle", "set_from_label_map", "set_from_masks", "set_from_rles", "to_label_map", "to_layers"]
