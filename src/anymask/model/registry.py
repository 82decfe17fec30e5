"""The released weights this package knows by name: where they are, how long they are and what they must hash to."""

from __future__ import annotations

from dataclasses import dataclass

from anymask.errors import WeightsError

_RELEASED = "https://dl.fbaipublicfiles.com/segment_anything/"


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsEntry:
    """One file of weights."""

    name: str
    """What `load` takes."""
    file_name: str
    """Name in the cache directory, and inside the package for embedded weights."""
    licence: str
    """SPDX name of the weights' licence, or a sentence where there is none."""
    source: str
    """Who made them, in a few words."""
    url: str | None = None
    """Where to fetch the file; None means that it is inside the package."""
    size_bytes: int | None = None
    """Exact length; None for embedded weights, which the package's own RECORD covers."""
    sha256: str | None = None
    """Hex digest of the whole file; None for embedded weights."""
    trained_on: tuple[str, ...] | None = None
    """The sets of pictures it learned from, by their names in shards; None where it is not known."""

    @property
    def is_embedded(self) -> bool:
        """Whether the file is part of the package."""
        return self.url is None


_ENTRIES = (
    WeightsEntry(
        name="tiny",
        file_name="tiny.safetensors",
        licence="research use; see weights/tiny.md in the package",
        source="trained by anymask",
        trained_on=(
            "animals7",
            "bsds500",
            "car_parts",
            "ccp",
            "coco_person1",
            "facades",
            "food_plates",
            "msrc21",
            "voc07_instances",
            "voc12aug_a",
            "voc12aug_b",
            "voc12aug_c",
        ),
    ),
    WeightsEntry(
        name="tiny_loop_start",
        file_name="tiny_loop_start.safetensors",
        licence="research use; see weights/tiny_loop_start.md in the package",
        source="trained by anymask, short, without car_parts, facades and bsds500",
        trained_on=(
            "animals7",
            "ccp",
            "coco_person1",
            "food_plates",
            "msrc21",
            "voc07_instances",
            "voc12aug_a",
            "voc12aug_b",
            "voc12aug_c",
        ),
    ),
    WeightsEntry(
        name="vit_b",
        file_name="sam_vit_b_01ec64.pth",
        licence="Apache-2.0",
        source="Segment Anything release, ViT-B",
        url=_RELEASED + "sam_vit_b_01ec64.pth",
        size_bytes=375_042_383,
        sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    WeightsEntry(
        name="vit_l",
        file_name="sam_vit_l_0b3195.pth",
        licence="Apache-2.0",
        source="Segment Anything release, ViT-L",
        url=_RELEASED + "sam_vit_l_0b3195.pth",
        size_bytes=1_249_524_607,
        sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    WeightsEntry(
        name="vit_h",
        file_name="sam_vit_h_4b8939.pth",
        licence="Apache-2.0",
        source="Segment Anything release, ViT-H",
        url=_RELEASED + "sam_vit_h_4b8939.pth",
        size_bytes=2_564_550_879,
        sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
)


def registry() -> list[WeightsEntry]:
    """Every known entry, smallest model first.

    The release itself publishes no sha256 (the six hex digits in its file names are the start of each file's MD5).
    The digests and lengths here are those that several independent projects pin for the same files, and they agree.
    Source: among others micro-sam (micro_sam/util.py) and the 3D Slicer extension that loads the same checkpoints.
    """
    return list(_ENTRIES)


def entry_named(name: str) -> WeightsEntry:
    """The entry called `name`.

    Raises: WeightsError for an unknown name.
    """
    for entry in _ENTRIES:
        if entry.name == name:
            return entry
    raise WeightsError(
        f"no weights are called {name!r}; known are {', '.join(entry.name for entry in _ENTRIES)}, "
        "or give the path of a .pth or .safetensors file or of a Hugging Face SamModel folder"
    )
