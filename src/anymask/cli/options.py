"""Options that several verbs share, each defined once."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.errors import DatasetError

if TYPE_CHECKING:
    from anymask.model.sam import Sam


class Dtype(StrEnum):
    """Arithmetic of the model."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


MODEL = Annotated[str, typer.Option(help="A name that `anymask models` lists, or the path of a file or folder.")]
DEVICE = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1, mps.")]
DTYPE = Annotated[Dtype, typer.Option(help="Arithmetic of the model.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else.")]

# Of the verbs that run for hours.
PICTURES = Annotated[
    list[str] | None,
    typer.Argument(metavar="[DATA]...", help="The same as --data, for one's own folder.", show_default=False),
]
DATA = Annotated[
    list[str] | None,
    typer.Option(
        help="Tar shards or folders of sets: a path or a quoted pattern; may be repeated.", show_default=False
    ),
]
OUT = Annotated[Path | None, typer.Option(help="The run's folder.", show_default=False)]
STEPS = Annotated[int | None, typer.Option(help="Optimiser steps.", show_default="the recipe's", min=1)]
SEED = Annotated[int | None, typer.Option(help="Of everything random.", show_default="the recipe's")]
EXCLUDE = Annotated[
    list[str] | None, typer.Option(metavar="SET", help="Leave out this set; may be repeated.", show_default=False)
]
VALIDATE = Annotated[
    list[str] | None,
    typer.Option(help="Labelled data to score the weights on as they come; may be repeated.", show_default=False),
]
RESUME = Annotated[Path | None, typer.Option(help="Go on with this run, as it was begun.", show_default=False)]
TENSORBOARD = Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard files too.")]


def load_model(name: str, device: str, dtype: Dtype = Dtype.FLOAT32) -> Sam:
    """The model, with a bar while it is downloaded.

    Raises: WeightsError, ConfigError for a device that cannot be used.
    """
    import torch

    from anymask.model.weights import load

    with console.progress_bar(f"download {name}", unit="bytes") as update:
        return load(name, device=device, dtype=getattr(torch, dtype.value), progress=update)


def expand_paths(given: Sequence[str]) -> list[Path]:
    """The absolute paths that `given` names, patterns such as `shards/train-*.tar` expanded in order of names.

    Raises: DatasetError for a path that is not there, or a pattern that fits nothing.
    """
    found: list[Path] = []
    for text in given:
        path = Path(text).expanduser().absolute()
        matches = [path] if path.exists() else sorted(path.parent.glob(path.name))
        if not matches:
            raise DatasetError(f"there is no file or folder {text}; give a tar shard or a folder of sets")
        found += matches
    return found
