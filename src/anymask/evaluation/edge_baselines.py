"""Edges without training: Sobel, Canny, and the borders of Felzenszwalb's regions. A model has to beat them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError
from anymask.evaluation.baselines import skimage_module
from anymask.evaluation.boundaries.matching import above_thresholds
from anymask.evaluation.edge_finders import EdgeFinder, EdgePicture
from anymask.images.edges import edge_nms, sobel
from anymask.masks.borders import label_borders

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

_STEEPEST = 128.0
"""Grey levels a pixel that count as strength 1: a step from black to white across two pixels."""
_UNITS = 128.0
"""Gradients are given to OpenCV as whole numbers, so many a grey level a pixel."""
_CANNY_STEEPEST = 64.0
"""The highest of Canny's upper thresholds, in grey levels a pixel; blurred pictures are flatter."""

CANNY_SIGMAS = (1.0, 1.5, 2.0, 2.5, 3.0)
"""The scales of the sweep, in pixels."""
FELZENSZWALB_SCALES = tuple(round(float(scale)) for scale in np.geomspace(30, 10_000, 20))
"""The scales of the sweep, fine to coarse: each is a level, as thresholds are to others."""


@dataclass(frozen=True, slots=True)
class SobelEdges:
    """Length of the Sobel gradient of the grey picture, ridges only.

    Source: Sobel and Feldman 1968. Strength is the square root of the slope, so that thresholds are fine where edges
    are weak; this changes no order.
    """

    name: str = "sobel"

    @property
    def fingerprint(self) -> str:
        """OpenCV's version."""
        return f"sobel {_STEEPEST} opencv {cv2.__version__}"

    def find(self, picture: EdgePicture, levels: int) -> list[Mask]:
        """The edge map cut at the thresholds.

        Raises: ImageError when the picture is damaged.
        """
        slope = sobel(_grey(picture))
        return above_thresholds(edge_nms(np.minimum(np.sqrt(slope / _STEEPEST), 1)), levels)


@dataclass(frozen=True, slots=True)
class CannyEdges:
    """Canny's edges at one scale, for as many upper thresholds as there are levels; the lower is 0.4 of the upper.

    Source: Canny, PAMI 1986, as OpenCV has it.
    """

    sigma: float = 1.5
    """Width of the Gaussian blur before, in pixels."""
    lower: float = 0.4
    """The lower threshold of the hysteresis as a share of the upper."""

    def __post_init__(self) -> None:
        if not self.sigma > 0 or not 0 <= self.lower <= 1:
            raise ConfigError(f"CannyEdges needs sigma above 0 and lower in [0, 1], got {self.sigma} and {self.lower}")

    @property
    def name(self) -> str:
        """`canny_SIGMA`."""
        return f"canny_{self.sigma:g}"

    @property
    def fingerprint(self) -> str:
        """Parameters and OpenCV's version."""
        return f"{self} {_CANNY_STEEPEST} opencv {cv2.__version__}"

    def find(self, picture: EdgePicture, levels: int) -> list[Mask]:
        """The edges at each upper threshold, lowest first; thresholds rise by the square, as slopes of pictures do.

        Raises: ImageError when the picture is damaged.
        """
        grey = cv2.GaussianBlur(_grey(picture), (0, 0), self.sigma)
        across, down = (
            np.rint(cv2.Sobel(grey, cv2.CV_32F, dx, 1 - dx, scale=_UNITS / 8)).astype(np.int16) for dx in (1, 0)
        )
        uppers = (np.arange(1, levels + 1) / (levels + 1)) ** 2 * _CANNY_STEEPEST * _UNITS
        return [cv2.Canny(across, down, upper * self.lower, upper, L2gradient=True) > 0 for upper in uppers]


@dataclass(frozen=True, slots=True)
class FelzenszwalbEdges:
    """Borders between the regions of a graph-based partition; its scales are the levels.

    Source: Felzenszwalb and Huttenlocher, IJCV 2004; scikit-image's code.
    """

    scales: tuple[int, ...] = FELZENSZWALB_SCALES
    """Preference for large regions, rising."""
    sigma: float = 0.8
    """Width of the Gaussian blur before, in pixels."""
    min_size: int = 50
    """Smaller regions are merged into a neighbour, in pixels."""
    name: str = "felzenszwalb"

    @property
    def fingerprint(self) -> str:
        """Parameters and scikit-image's version."""
        return f"{self} scikit-image {skimage_module().__version__}"

    def find(self, picture: EdgePicture, levels: int) -> list[Mask]:
        """The borders at each scale, whatever `levels` is.

        Raises: ImageError when the picture is damaged; MissingDependencyError without scikit-image.
        """
        del levels  # its scales are its levels
        partition: Callable[..., npt.NDArray[np.int64]] = skimage_module().segmentation.felzenszwalb
        pixels = picture.pixels()
        return [
            label_borders(partition(pixels, scale=scale, sigma=self.sigma, min_size=self.min_size, channel_axis=-1))
            for scale in self.scales
        ]


def edge_baselines(names: str) -> list[EdgeFinder]:
    """The finders that a list such as "canny,sobel" names: `canny` is its sweep of scales, `canny_2` one of them.

    Raises: ConfigError for an unknown name; MissingDependencyError when its library is not installed.
    """
    found: list[EdgeFinder] = []
    for name in (part.strip() for part in names.split(",")):
        if name == "canny":
            found += [CannyEdges(sigma) for sigma in CANNY_SIGMAS]
        elif name.startswith("canny_"):
            found.append(CannyEdges(_number(name)))
        elif name == "sobel":
            found.append(SobelEdges())
        elif name == "felzenszwalb":
            skimage_module()
            found.append(FelzenszwalbEdges())
        else:
            raise ConfigError(f"unknown edge baseline {name!r}; known are canny, canny_SIGMA, sobel, felzenszwalb")
    return found


def _number(name: str) -> float:
    try:
        return float(name.removeprefix("canny_"))
    except ValueError as error:
        raise ConfigError(f"{name!r} names no scale; give Canny's sigma in pixels, such as canny_1.5") from error


def _grey(picture: EdgePicture) -> Floats:
    return np.asarray(cv2.cvtColor(picture.pixels(), cv2.COLOR_RGB2GRAY).astype(np.float32))
