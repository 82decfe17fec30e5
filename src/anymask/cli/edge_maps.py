"""`anymask segment --task edges`: an edge map of each picture, as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anymask.cli import console
from anymask.cli.answers import AnswerFolder, unique_stems
from anymask.errors import AnymaskError

if TYPE_CHECKING:
    from anymask.predict.predictor import Predictor
    from anymask.predict.tasks.edges import EdgesConfig


def edges_config(points_per_side: int | None) -> EdgesConfig:
    """The paper's settings, with that many clicks along each side if it is given."""
    from anymask.predict.tasks.edges import EdgesConfig

    return EdgesConfig() if points_per_side is None else EdgesConfig(points_per_side=points_per_side)


def write_edges(
    predictor: Predictor, config: EdgesConfig, pictures: Sequence[Path], folder: AnswerFolder
) -> Iterator[dict[str, Any]]:
    """Of each picture its size and the file written, or its `error`; the error of a single picture is raised instead.

    Raises: PathError when a file cannot be written: it would come again with every picture.
    """
    from anymask.images.load import load_image
    from anymask.predict.tasks.edges import find_edges

    total = len(pictures)
    with console.progress_bar("edges", unit="pictures") as update:
        for index, (picture, stem) in enumerate(zip(pictures, unique_stems(pictures), strict=True)):
            update(index, total)
            try:
                loaded = load_image(picture, predictor.limits)
                strength = find_edges(predictor, loaded, config, partial(_add_share, update, index, total))
            except AnymaskError as error:
                if total == 1:
                    raise
                console.warn(f"failed: {error}")
                yield {"picture": str(picture), "error": {"kind": type(error).__name__, "message": str(error)}}
                continue
            yield {
                "picture": str(picture),
                "size_hw": list(strength.shape),
                "files": {"edges": folder.add_edges(stem, strength)},
            }


def _add_share(update: console.Update, index: int, total: int, done: int, of: int) -> None:
    """Show that `done` of `of` parts of the picture at `index` are done."""
    update(index + done / of, total)
