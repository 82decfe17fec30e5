"""An image file that is whole as far as its structure tells, not yet decoded."""

from __future__ import annotations

from dataclasses import dataclass

AGAIN = "copy or download it again"
"""What to do next about a damaged file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """An image file that is whole as far as its structure tells."""

    format: str
    """"jpeg", "png", "webp" or "gif"."""
    size_hw: tuple[int, int]
    """Pixels as stored, before the orientation is applied."""
    orientation: int
    """EXIF orientation 1 to 8."""
    data: bytes
    """What the decoder needs: metadata is left out where the format allows."""
