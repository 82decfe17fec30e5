"""Pixels and coordinate frames.

Takes: files, bytes, arrays and tensors from anywhere.
Gives: pictures as (H, W, 3) uint8 RGB that passed the gate, and the frames between original and input pixels.
Next: `predict/` embeds them, `dataset/` stores them, `training/` augments them.
"""

from anymask.images.frames import Frame
from anymask.images.limits import ImageLimits
from anymask.images.load import ImageSource, LoadedImage, load_image
from anymask.images.paths import check_name, safe_join

__all__ = ["Frame", "ImageLimits", "ImageSource", "LoadedImage", "check_name", "load_image", "safe_join"]
