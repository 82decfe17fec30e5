"""What is known of a picture beside its masks: on what terms, from where, and how each mask was made.

It lies in SA-1B's JSON under keys of our own, which other readers pass over: "anymask" beside "image", and
"provenance" (an index into its list) in an annotation. A file without them is plain SA-1B, schema 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError, DatasetError
from anymask.masks.validate import shown
from anymask.runs import from_plain, to_plain

SCHEMA = 1
"""Version of the keys under "anymask" and of dataset.json. A reader takes its own version and those before it."""
KEY = "anymask"
UNKNOWN = "not stated"

Stage = Literal["unknown", "imported", "assisted", "semi_automatic", "automatic", "corrected"]
"""How a mask came to be: by another dataset, by a person with the model's help, by the model and then a person for the
rest, by the model alone, or automatic and then put right by a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """How some masks were made."""

    stage: Stage = "unknown"
    model: str = ""
    """Name of the weights, empty where no model took part."""
    model_sha256: str = ""
    """Of the weights' values, so that a renamed file is still known."""
    settings_sha256: str = ""
    """Of the settings as JSON."""
    software: str = ""
    """Program and version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notes:
    """What is known of one picture and its masks."""

    licence: str = UNKNOWN
    """Terms of the picture, in plain words."""
    source: str = ""
    """Name of the picture where it came from."""
    source_sha256: str = ""
    """Of the file it came from."""
    blurred: str = ""
    """What was looked for and blurred before release; empty when nothing was looked for."""
    made: tuple[Provenance, ...] = ()
    """The ways in which masks of this picture were made."""
    made_by_mask: tuple[int, ...] = ()
    """One index into `made` a mask; none when nothing is known."""

    def of_mask(self, index: int) -> Provenance:
        """How the mask at `index` was made."""
        return self.made[self.made_by_mask[index]] if self.made_by_mask else Provenance()

    def take(self, rows: npt.ArrayLike) -> Notes:
        """The notes for the masks at `rows` (integers or booleans), in that order."""
        if not self.made_by_mask:
            return self
        picked = np.asarray(self.made_by_mask)[np.asarray(rows)]
        return replace(self, made_by_mask=tuple(int(one) for one in picked))


def made_alike(provenance: Provenance, masks: int, **known: str) -> Notes:
    """Notes of a picture all of whose masks were made in one way; `known` are other fields of `Notes`."""
    return Notes(**known, made=(provenance,), made_by_mask=(0,) * masks)


def add_notes(record: dict[str, Any], notes: Notes) -> dict[str, Any]:
    """SA-1B's record with the notes in it.

    Raises: DatasetError when they are of another number of masks.
    """
    annotations = record["annotations"]
    if notes.made_by_mask and len(notes.made_by_mask) != len(annotations):
        raise DatasetError(
            f"notes of {len(notes.made_by_mask)} masks for a picture of {len(annotations)}; give one each"
        )
    head = {"schema": SCHEMA, **to_plain(notes)}
    del head["made_by_mask"]
    if notes.made_by_mask:
        pairs = zip(annotations, notes.made_by_mask, strict=True)
        annotations = [annotation | {"provenance": made} for annotation, made in pairs]
    return {"image": record["image"], "annotations": annotations, KEY: head}


def read_notes(record: Mapping[str, Any]) -> Notes:
    """The notes of SA-1B's record; all unknown when it has none.

    Raises: DatasetError for a later schema, or notes that are damaged.
    """
    head = record.get(KEY)
    if head is None:
        return Notes()
    schema = head.get("schema") if isinstance(head, Mapping) else None
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise DatasetError(
            f"the record's schema is {shown(schema)}, this version reads 1 to {SCHEMA}; use a newer anymask, or remove "
            f'the key "{KEY}"'
        )
    try:
        notes = from_plain(Notes, {key: value for key, value in head.items() if key != "schema"})
    except ConfigError as error:
        raise DatasetError(f"the record's notes are damaged: {error}") from error
    made = [item.get("provenance") for item in record["annotations"]]
    if all(one is None for one in made):
        return notes
    if not all(type(one) is int and 0 <= one < len(notes.made) for one in made):
        raise DatasetError(f'a "provenance" of the record names none of its {len(notes.made)} ways; write it again')
    return replace(notes, made_by_mask=tuple(made))


def stages() -> tuple[str, ...]:
    """The names of the stages, in order."""
    return get_args(Stage)
