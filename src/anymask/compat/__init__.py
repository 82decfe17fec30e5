"""The names of the public `segment_anything` package, as a thin layer over ours: change the import and go on.

Takes: what code written for that package passes: arrays, tensors, checkpoints, lists of dictionaries.
Gives: what that code expects back: the same shapes, types, keys and errors.
Next: nothing here; new code takes `anymask.load`, `Predictor` and `segment_everything`.
"""

from anymask.compat.automatic_mask_generator import SamAutomaticMaskGenerator
from anymask.compat.build_sam import build_sam, build_sam_vit_b, build_sam_vit_h, build_sam_vit_l, sam_model_registry
from anymask.compat.predictor import SamPredictor

__all__ = [
    "SamAutomaticMaskGenerator",
    "SamPredictor",
    "build_sam",
    "build_sam_vit_b",
    "build_sam_vit_h",
    "build_sam_vit_l",
    "sam_model_registry",
]
