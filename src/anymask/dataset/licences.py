"""On what terms sets may be used: what is known of the usual ones, and what people state of their own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from anymask.errors import AnymaskError, DatasetError
from anymask.runs import from_plain


@dataclass(frozen=True, kw_only=True, slots=True)
class SetLicence:
    """The terms of one set."""

    licence: str
    """In plain words, as found with the copy that is used."""
    research_only: bool
    """Whether weights trained on it are for research only; also where nothing is stated that allows more."""


_VOC = SetLicence(licence="none stated with the maps; pictures are Flickr's, for research", research_only=True)
_COCO = SetLicence(
    licence="annotations CC BY 4.0; pictures under their own Flickr licences, some non-commercial", research_only=True
)
_CC_BY = SetLicence(licence="CC BY 4.0", research_only=False)

KNOWN_LICENCES = {
    "voc12aug_a": _VOC,
    "voc12aug_b": _VOC,
    "voc12aug_c": _VOC,
    "voc07_instances": _VOC,
    "coco_person1": _COCO,
    "coco_mini": _COCO,
    "animals7": _CC_BY,
    "msrc21": SetLicence(licence="none stated for the data (Microsoft Research Cambridge)", research_only=True),
    "ccp": SetLicence(licence="Apache-2.0", research_only=False),
    "bsds500": SetLicence(
        licence="none stated; the BSDS page allows non-commercial research and education", research_only=True
    ),
    "car_parts": SetLicence(licence="none stated; asks for citation", research_only=True),
    "facades": _CC_BY,
    "food_plates": SetLicence(licence="MIT", research_only=False),
    "davis16_val": SetLicence(licence="CC BY 4.0 (DAVIS readme)", research_only=False),
    "dsbowl2018": SetLicence(licence="none stated; BBBC038v1", research_only=True),
}
"""By name, the terms as found with the public copy of each set. Source: README.md beside the project's shards."""


def read_licences(paths: Iterable[Path]) -> dict[str, SetLicence]:
    """`KNOWN_LICENCES`, and over them what the JSON files state: {"SET": {"licence": "...", "research_only": false}}.

    Raises: DatasetError for a file that is not there or not of this form.
    """
    found = dict(KNOWN_LICENCES)
    for path in paths:
        try:
            plain = json.loads(path.read_bytes())
            found |= {str(name): from_plain(SetLicence, terms) for name, terms in plain.items()}
        except (OSError, ValueError, AttributeError, AnymaskError) as error:
            raise DatasetError(
                f"{path} does not state licences ({error}); write "
                '{"SET": {"licence": "CC0", "research_only": false}}'
            ) from error
    return found
