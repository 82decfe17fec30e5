"""How large a picture may be before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

from anymask.errors import ConfigError, ImageError


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageLimits:
    """Bounds that are checked on the header, before any pixel is decoded.

    Raises: ConfigError for a bound below 1; the checks raise ImageError.
    """

    max_pixels: int = 200_000_000
    """Height x width; 200 megapixels is the largest phone camera, and 600 MB once decoded to RGB."""
    max_side: int = 65_535
    """Pixels along one side; no JPEG can be longer."""
    max_file_bytes: int = 150_000_000
    """Bytes of the file as it lies on disk."""

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_side", "max_file_bytes"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"ImageLimits.{name} is {value}, expected 1 or more")

    def check_bytes(self, size_bytes: int) -> None:
        """Refuse a file that is empty or over `max_file_bytes`."""
        if size_bytes == 0:
            raise ImageError("the file is empty (0 bytes), expected a picture; copy or download it again")
        if size_bytes > self.max_file_bytes:
            raise ImageError(
                f"the file has {size_bytes:,} bytes, expected at most {self.max_file_bytes:,}; "
                "save it smaller or raise ImageLimits.max_file_bytes"
            )

    def check_size(self, size_hw: tuple[int, int]) -> None:
        """Refuse a picture without pixels, or with more than the bounds allow."""
        height, width = size_hw
        if height < 1 or width < 1:
            raise ImageError(f"the picture is {width} x {height} pixels, expected at least 1 x 1")
        if max(height, width) > self.max_side:
            raise ImageError(
                f"the picture is {width:,} x {height:,} pixels, expected at most {self.max_side:,} a side; "
                "save it smaller or raise ImageLimits.max_side"
            )
        if height * width > self.max_pixels:
            raise ImageError(
                f"the picture is {width:,} x {height:,} = {height * width:,} pixels, expected at most "
                f"{self.max_pixels:,}; save it smaller or raise ImageLimits.max_pixels"
            )
