"""Any other segmenter as a column: a Python file of the user's, with one function."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError
from anymask.evaluation.segmenter import Answer
from anymask.prompts.types import Prompt

FUNCTION = "make_segmenter"


@dataclass(slots=True)
class AdaptedSegmenter:
    """A column made of a user's file.

    The file defines `make_segmenter()`, which returns an object with two methods. `set_image(pixels)` is called once a
    picture with (H, W, 3) uint8 RGB. `predict(prompt)` takes a `Prompt` (all clicks so far, or a box; in the text
    experiment `prompt.text`, alone and with one click) and returns an (H, W) mask of bool, or of probabilities, cut at
    .5; or a pair of (M, H, W) masks and (M,) scores. A prompt of one click begins another mask. The object may have
    `takes_points` and `takes_boxes` (both true unless said) and `settings`, a text that changes when answers do, such
    as a checkpoint's name.
    """

    path: Path
    name: str
    gives_three: bool = field(default=False, init=False)
    takes_points: bool = field(default=True, init=False)
    takes_boxes: bool = field(default=True, init=False)
    _inner: Any = field(default=None, init=False, repr=False)
    _size_hw: tuple[int, int] = field(default=(0, 0), init=False, repr=False)

    def __post_init__(self) -> None:
        self._inner = getattr(_load(self.path), FUNCTION)()
        for method in ("set_image", "predict"):
            if not callable(getattr(self._inner, method, None)):
                raise ConfigError(f"{FUNCTION} of {self.path} returned an object without {method}")
        self.takes_points = bool(getattr(self._inner, "takes_points", True))
        self.takes_boxes = bool(getattr(self._inner, "takes_boxes", True))

    @property
    def fingerprint(self) -> str:
        """The hash of the file, and the object's own `settings`."""
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]
        return f"adapter {digest} {getattr(self._inner, 'settings', '')}"

    def set_image(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Show it the (H, W, 3) uint8 RGB picture."""
        self._size_hw = (pixels.shape[0], pixels.shape[1])
        self._inner.set_image(pixels)

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        """Its masks, whatever `multimask` is.

        Raises: ConfigError when it returns something else.
        """
        del multimask
        found = self._inner.predict(prompt)
        masks, scores = found if isinstance(found, tuple) else (np.asarray(found)[None], np.ones(1))
        masks, scores = np.asarray(masks), np.asarray(scores, np.float32)
        if masks.ndim != 3 or masks.shape[1:] != self._size_hw or scores.shape != masks.shape[:1] or len(masks) == 0:
            raise ConfigError(
                f"{self.path} returned masks of {masks.shape} with scores of {scores.shape} for a picture of "
                f"{self._size_hw} (height, width); expected (M, H, W) and (M,), or one (H, W)"
            )
        return Answer(masks if masks.dtype == np.bool_ else masks > 0.5, scores)


def adapt(path: Path, name: str | None = None) -> AdaptedSegmenter:
    """The column of a user's file, called as the file unless named.

    Raises: ConfigError when the file is not there, cannot be run, or has no `make_segmenter`.
    """
    return AdaptedSegmenter(path, name or path.stem)


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"there is no Python file {path}; give one that defines {FUNCTION}()")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file may raise
        raise ConfigError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    if not callable(getattr(module, FUNCTION, None)):
        raise ConfigError(f"{path} defines no {FUNCTION}(); see `anymask evaluate points --help`")
    return module
