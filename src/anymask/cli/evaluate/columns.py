"""The columns of an evaluation, from their names on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anymask.cli.options import Dtype, load_model

if TYPE_CHECKING:
    from anymask.evaluation.segmenter import Segmenter


def column_name(model: str) -> str:
    """The heading of a model: its name, or its file's.

    >>> column_name("tiny"), column_name("runs/a/model.safetensors")
    ('tiny', 'model')
    """
    return Path(model).stem if "/" in model or Path(model).is_file() else model


def make_columns(
    models: Sequence[str], baselines: str, device: str, dtype: Dtype, adapters: Sequence[str] = ()
) -> list[Segmenter]:
    """The columns: models first, in the order given, then the baselines named (comma-separated, or none),
    then the user's files (`[NAME=]FILE.py`).

    Raises: ConfigError for an unknown baseline or a file that is no adapter; as `load_model`.
    """
    from anymask.evaluation.adapters import adapt
    from anymask.evaluation.baselines import baseline
    from anymask.evaluation.segmenter import ModelSegmenter
    from anymask.predict.predictor import Predictor

    # Baselines before models: a wrong name should not be told after a download.
    simple = [] if baselines == "none" else [baseline(name.strip()) for name in baselines.split(",")]
    for text in adapters:
        name, _, file = text.rpartition("=")
        simple.append(adapt(Path(file), name or None))
    columns: list[Segmenter] = [
        ModelSegmenter(Predictor(load_model(model, device, dtype)), column_name(model)) for model in models
    ]
    return [*columns, *simple]
