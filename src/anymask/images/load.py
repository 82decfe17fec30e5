"""The gate every picture passes: from a path, bytes, PIL, numpy or torch to (H, W, 3) uint8 RGB, or a refusal.

Allowed files are JPEG, PNG, WebP and GIF, told by content and not by name. Of an animation the first picture is taken.
EXIF orientation is applied. Grey, palette and CMYK become RGB; of 16 bits the upper 8 are kept; what is transparent is
laid on white, as a person sees it on a page (dropping alpha would bring back what somebody had erased). Colour profiles
are not applied.
"""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from anymask.errors import ImageError
from anymask.images import exif, jpeg
from anymask.images.limits import ImageLimits
from anymask.images.sniff import open_container

ImageSource = str | Path | bytes | Image.Image | npt.NDArray[np.uint8] | torch.Tensor
"""Anything `load_image` takes."""

_EXIF_ORIENTATION = 0x0112
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
)
_DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    # The classes are called directly: Image.open would guess the format again and has a pixel limit of its own.
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "gif": GifImagePlugin.GifImageFile,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedImage:
    """A picture that passed the gate."""

    pixels: npt.NDArray[np.uint8]
    """(H, W, 3) RGB, contiguous, upright."""
    format: str
    """"jpeg", "png", "webp" or "gif" for files; "pil", "numpy" or "torch" for pictures in memory."""
    path: Path | None = None
    """Where it was read from; None for pictures in memory."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in original pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @cached_property
    def sha256(self) -> str:
        """Hash of size and pixels: the same picture has the same hash, whatever it was loaded from."""
        digest = hashlib.sha256(f"{self.size_hw[0]}x{self.size_hw[1]}:".encode())
        digest.update(self.pixels.data)
        return digest.hexdigest()


def load_image(source: ImageSource, limits: ImageLimits | None = None) -> LoadedImage:
    """The picture as (H, W, 3) uint8 RGB, upright.

    `source` is a path, the bytes of a file, a PIL image, a uint8 array of (H, W), (H, W, 3) or (H, W, 4), or a uint8
    tensor of (3, H, W) or (1, H, W). The EXIF orientation of a PIL image is applied as that of a file is.

    Raises: ImageError for what is not a whole, allowed picture within `limits` (default `ImageLimits()`).
    """
    limits = limits or ImageLimits()
    if isinstance(source, str | Path):
        return _load_path(source, limits)
    if isinstance(source, bytes):
        return _load_bytes(source, limits)
    if isinstance(source, Image.Image):
        return _load_pil(source, limits)
    if isinstance(source, np.ndarray):
        return LoadedImage(pixels=_array_to_rgb(source, limits), format="numpy")
    if isinstance(source, torch.Tensor):
        return _load_tensor(source, limits)
    raise ImageError(
        f"the picture was given as {type(source).__name__}, expected a path, bytes, PIL image, uint8 array or tensor"
    )


def _load_path(source: str | Path, limits: ImageLimits) -> LoadedImage:
    if str(source).lower().startswith(("http://", "https://", "file:")):
        raise ImageError(f"{source} is a URL, expected a file; download it first")
    path = Path(source)
    try:
        data = _read_regular_file(path, limits)
        loaded = _load_bytes(data, limits)
    except ImageError as error:
        raise ImageError(f"{str(source)!r}: {error}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{str(source)!r} cannot be read ({reason}); check the name and its permissions") from error
    return LoadedImage(pixels=loaded.pixels, format=loaded.format, path=path)


def _read_regular_file(path: Path, limits: ImageLimits) -> bytes:
    status = path.stat()
    # A pipe or a device would block, or never end.
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise ImageError(f"this is {kind}, expected a picture file")
    limits.check_bytes(status.st_size)
    return path.read_bytes()


def _load_bytes(data: bytes, limits: ImageLimits) -> LoadedImage:
    limits.check_bytes(len(data))
    container = open_container(data, limits)
    if container.format == "jpeg":
        jpeg.check_coded_data(container.data)
    try:
        decoder = _DECODERS[container.format](io.BytesIO(container.data))
        limits.check_size((decoder.height, decoder.width))
        decoder.load()
    except ImageError:
        raise
    except _DECODER_ERRORS as error:
        name = container.format.upper()
        raise ImageError(f"the {name} cannot be decoded ({error}), it is damaged; copy or download it again") from error
    upright = exif.turn_upright(_pil_to_rgb(decoder), container.orientation)
    return LoadedImage(pixels=np.ascontiguousarray(upright), format=container.format)


def _load_pil(image: Image.Image, limits: ImageLimits) -> LoadedImage:
    limits.check_size((image.height, image.width))
    try:
        image.load()
        orientation = int(image.getexif().get(_EXIF_ORIENTATION, exif.UPRIGHT))
    except _DECODER_ERRORS as error:
        raise ImageError(f"the PIL image cannot be loaded ({error}); open it again") from error
    return LoadedImage(pixels=np.ascontiguousarray(exif.turn_upright(_pil_to_rgb(image), orientation)), format="pil")


def _pil_to_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Any PIL mode -> (H, W, 3) uint8, transparency laid on white."""
    if image.mode.startswith("I"):
        return _wide_grey_to_rgb(image)
    if image.mode == "F":
        raise ImageError("the PIL image has floating point pixels (mode F), expected 8 bits; scale it to 0..255 first")
    try:
        if not image.has_transparency_data:
            return np.asarray(image.convert("RGB"))
        rgba = image.convert("RGBA")
    except ValueError as error:
        raise ImageError(f"the PIL mode {image.mode!r} cannot be turned into RGB; convert the picture first") from error
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(rgba.convert("RGB"), mask=rgba.getchannel("A"))
    return np.asarray(canvas)


def _wide_grey_to_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """16-bit grey -> the upper 8 bits, as is done for 16-bit colour; PIL's own conversion would clip at 255."""
    grey = np.asarray(image)
    if grey.size and (int(grey.min()) < 0 or int(grey.max()) > 0xFFFF):
        raise ImageError("the PIL image has 32-bit values, expected 0..65535; scale it to 8 or 16 bits first")
    upper = (grey >> 8).astype(np.uint8)
    key = image.info.get("transparency")
    if isinstance(key, int):
        upper[grey == key] = 255
    return np.repeat(upper[:, :, None], 3, axis=2)


def _array_to_rgb(array: npt.NDArray[np.uint8], limits: ImageLimits) -> npt.NDArray[np.uint8]:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise ImageError(f"the array has shape {array.shape}, expected (H, W), (H, W, 3) RGB or (H, W, 4) RGBA")
    if array.dtype != np.uint8:
        raise ImageError(f"the array is {array.dtype}, expected uint8; scale it to 0..255 and convert it first")
    limits.check_size((array.shape[0], array.shape[1]))
    if channels == 4:
        return _pil_to_rgb(Image.fromarray(array, "RGBA"))
    if channels == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(array)


def _load_tensor(tensor: torch.Tensor, limits: ImageLimits) -> LoadedImage:
    if tensor.ndim != 3 or tensor.shape[0] not in (1, 3):
        raise ImageError(f"the tensor has shape {tuple(tensor.shape)}, expected (3, H, W) or (1, H, W)")
    if tensor.dtype != torch.uint8:
        raise ImageError(f"the tensor is {tensor.dtype}, expected torch.uint8; scale it to 0..255 and convert it first")
    array = tensor.detach().cpu().permute(1, 2, 0).numpy()
    return LoadedImage(pixels=_array_to_rgb(array, limits), format="torch")
