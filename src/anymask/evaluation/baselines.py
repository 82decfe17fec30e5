"""What needs no training: GrabCut from a box, and Felzenszwalb's regions under clicks. A model has to beat them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError, MissingDependencyError, UnsupportedPromptError
from anymask.evaluation.segmenter import Answer, Segmenter
from anymask.prompts.types import FOREGROUND, Prompt

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class GrabCutConfig:
    """OpenCV's GrabCut."""

    iterations: int = 5
    """Rounds of colour model and cut; the five of OpenCV's own examples."""
    seed: int = 0
    """Seed of the k-means that starts the colour models; set before every prompt, so that order does not matter."""
    empty_means_box: bool = False
    """Answer the box itself where the cut comes back empty; OpenCV's answer is empty then, for about every fifth of our
    validation boxes, and filling them lifts its mean IoU by about .1."""

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ConfigError(f"GrabCutConfig.iterations must be at least 1, got {self.iterations}")


@dataclass(frozen=True, kw_only=True, slots=True)
class FelzenszwalbConfig:
    """scikit-image's Felzenszwalb-Huttenlocher regions.

    The defaults are the best for one click of 59 settings (scale 50 to 1600, sigma .3 to 1.5, min_size 50 to 500) on
    training pictures, by the mean over their 12 sets, picked in two rounds (40, then 87 pictures): IoU .36 there.
    """

    scale: float = 600.0
    """Preference for large regions; no unit."""
    sigma: float = 0.5
    """Width of the Gaussian blur before, in pixels."""
    min_size: int = 50
    """Smaller regions are merged into a neighbour, in pixels."""

    def __post_init__(self) -> None:
        for name in ("scale", "sigma", "min_size"):
            if getattr(self, name) < 0:
                raise ConfigError(f"FelzenszwalbConfig.{name} must not be negative, got {getattr(self, name)}")


@dataclass(slots=True)
class GrabCut:
    """GrabCut inside a box: everything outside is background, the cut decides inside.

    A box that is the whole picture leaves no background to learn from; it is answered with itself.
    Source: Rother, Kolmogorov, Blake, "GrabCut", SIGGRAPH 2004, as OpenCV has it.
    """

    config: GrabCutConfig = field(default_factory=GrabCutConfig)
    name: str = "grabcut"
    takes_points: bool = field(default=False, init=False)
    takes_boxes: bool = field(default=True, init=False)
    gives_three: bool = field(default=False, init=False)
    _bgr: Pixels | None = field(default=None, init=False, repr=False)

    @property
    def fingerprint(self) -> str:
        """Parameters and OpenCV's version."""
        return f"{self.config} opencv {cv2.__version__}"

    def set_image(self, pixels: Pixels) -> None:
        """Take the (H, W, 3) uint8 RGB picture."""
        self._bgr = np.ascontiguousarray(pixels[:, :, ::-1])

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        """One mask for the box of the prompt, whatever `multimask` is.

        Raises: UnsupportedPromptError without a picture or a box.
        """
        del multimask  # there is never a second opinion
        if prompt.box_xyxy is None or self._bgr is None:
            raise UnsupportedPromptError("GrabCut needs a picture (set_image) and a prompt with a box")
        inside = _box_mask(prompt.box_xyxy, self._bgr.shape[:2])
        if inside.all() or not inside.any():
            return _only(inside)
        mask = self._cut(self._bgr, inside)
        return _only(inside if self.config.empty_means_box and not mask.any() else mask)

    def _cut(self, bgr: Pixels, inside: Mask) -> Mask:
        state = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
        cv2.setRNGSeed(self.config.seed)
        background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
        unused_rect = (0, 0, 1, 1)
        cv2.grabCut(bgr, state, unused_rect, background, foreground, self.config.iterations, cv2.GC_INIT_WITH_MASK)
        cut: Mask = state == cv2.GC_PR_FGD
        return cut


@dataclass(slots=True)
class Felzenszwalb:
    """The regions of a graph-based partition that foreground clicks fall in.

    A region cannot be split, so a background click (always in a region that was asked for) has no effect; taking the
    whole region away for it was far worse.
    Source: Felzenszwalb and Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004; scikit-image's code.
    """

    config: FelzenszwalbConfig = field(default_factory=FelzenszwalbConfig)
    name: str = "felzenszwalb"
    takes_points: bool = field(default=True, init=False)
    takes_boxes: bool = field(default=False, init=False)
    gives_three: bool = field(default=False, init=False)
    _regions: npt.NDArray[np.int64] | None = field(default=None, init=False, repr=False)

    @property
    def fingerprint(self) -> str:
        """Parameters and scikit-image's version."""
        return f"{self.config} scikit-image {skimage_module().__version__}"

    def set_image(self, pixels: Pixels) -> None:
        """Partition the (H, W, 3) uint8 RGB picture.

        Raises: MissingDependencyError without scikit-image.
        """
        config = self.config
        self._regions = skimage_module().segmentation.felzenszwalb(
            pixels, scale=config.scale, sigma=config.sigma, min_size=config.min_size, channel_axis=-1
        )

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        """One mask for the foreground clicks of the prompt, whatever `multimask` is; empty when there are none.

        Raises: UnsupportedPromptError without a picture or a click.
        """
        del multimask  # there is never a second opinion
        if prompt.points_xy is None or prompt.labels is None or self._regions is None:
            raise UnsupportedPromptError("Felzenszwalb needs a picture (set_image) and a prompt with points")
        height, width = self._regions.shape
        columns, rows = np.floor(prompt.points_xy[prompt.labels == FOREGROUND]).astype(np.int64).T
        clicked = self._regions[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
        return _only(np.isin(self._regions, clicked))


def baseline(name: str) -> Segmenter:
    """The baseline called "grabcut", "grabcut_or_box" (the same with `empty_means_box`) or "felzenszwalb".

    Raises: ConfigError for another name; MissingDependencyError when its library is not installed.
    """
    if name == "grabcut":
        return GrabCut()
    if name == "grabcut_or_box":
        return GrabCut(GrabCutConfig(empty_means_box=True), name)
    if name == "felzenszwalb":
        skimage_module()
        return Felzenszwalb()
    raise ConfigError(f"unknown baseline {name!r}; known are grabcut, grabcut_or_box, felzenszwalb")


def _box_mask(box_xyxy: npt.NDArray[np.float32], size_hw: tuple[int, ...]) -> Mask:
    """(H, W) bool: the pixels whose centre the box covers."""
    x0, y0, x1, y1 = np.round(box_xyxy).astype(np.int64)
    mask = np.zeros(size_hw, np.bool_)
    mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    return mask


def _only(mask: Mask) -> Answer:
    return Answer(mask[None], np.ones(1, np.float32))


def skimage_module() -> ModuleType:
    """scikit-image with its segmentation functions.

    Raises: MissingDependencyError when it is not installed.
    """
    # Loaded here and not above: only this baseline needs it, and it takes a second.
    try:
        import skimage.segmentation
    except ImportError as error:
        raise MissingDependencyError(
            "the Felzenszwalb baseline needs scikit-image, which is not installed: pip install 'anymask[eval]'"
        ) from error
    module: ModuleType = skimage
    return module
