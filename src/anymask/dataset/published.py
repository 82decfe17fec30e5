"""What was published of large datasets, to stand beside what is counted here. Nothing of it was measured by us."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "Segment Anything (arXiv 2304.02643), section 5"


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """Summary figures of one dataset; None where the source does not say."""

    name: str
    pictures: float | None = None
    masks: float | None = None
    masks_a_picture: float | None = None
    resolution: str = ""
    note: str = ""
    """In the source's own terms."""


PUBLISHED = (
    Published(
        name="SA-1B",
        pictures=11e6,
        masks=1.1e9,
        masks_a_picture=100,
        resolution="shortest side 1500 px as released, 3300 x 4950 px on average before",
        note="11 times the pictures and 400 times the masks of Open Images, 36 times its masks a picture",
    ),
    Published(
        name="Open Images V5",
        pictures=11e6 / 11,
        masks=1.1e9 / 400,
        masks_a_picture=100 / 36,
        note="the second largest; from the ratios that the source gives; more of a bias to the centre than SA-1B",
    ),
    Published(
        name="ADE20K",
        masks_a_picture=100 / 3.5,
        note="the closest in masks a picture, 3.5 times fewer than SA-1B; centres spread most like its, with LVIS v1",
    ),
    Published(name="LVIS v1", resolution="COCO's pictures", note="centres spread most like SA-1B's, with ADE20K"),
    Published(name="COCO", resolution="about 480 x 640 px", note="more of a bias to the centre than SA-1B"),
)
"""Source: `SOURCE`. About 100 masks a picture of SA-1B is 1.1e9 over 11e6."""

QUALITY = {"above .9": 0.94, "above .75": 0.97}
"""Share of automatic masks of SA-1B whose IoU with the corrected mask is above. Source: `SOURCE`, "Mask quality":
500 pictures, about 50,000 masks."""
BETWEEN_PEOPLE = (0.85, 0.91)
"""IoU between two people's masks of one thing, as prior work found. Source: the same paragraph."""
