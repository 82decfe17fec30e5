"""`anymask evaluate text`: phrases as prompts, on any data whose categories have names."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer

from anymask.cli import console
from anymask.cli.evaluate.columns import make_columns
from anymask.cli.evaluate.masks import ANNOTATIONS, MAX_PICTURES, PICTURES, GroundTruthOptions, finish
from anymask.cli.options import DEVICE, DTYPE, JSON, Dtype
from anymask.errors import ConfigError


def text(
    annotations: ANNOTATIONS = None,
    pictures: PICTURES = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model that takes text; may be repeated.", show_default="none when there is an adapter"),
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE.py", help="Any other segmenter that takes text, as with points.", show_default=False
        ),
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(help="A phrase, {} for the category's name; may be repeated.", show_default="a {}"),
    ] = None,
    vocabulary: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='Phrases by category, JSON: {"cup": ["a white cup"]}.', show_default=False),
    ] = None,
    per_picture: Annotated[int, typer.Option(help="Most phrases of a picture.", min=1)] = 4,
    max_pictures: MAX_PICTURES = None,
    seed: Annotated[int, typer.Option(help="Seed of the error bars.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report, and to go on from.", show_default="anymask_text, none with --json"),
    ] = None,
    device: DEVICE = "cpu",
    dtype: DTYPE = Dtype.FLOAT32,
    json: JSON = False,
) -> None:
    """Text to mask: phrases made of category names, alone and with one click.

    The mask of a phrase is compared with the object of that name nearest to it, and with all of them together; then one
    click is added, in the middle of the object that the phrase met worst. A model that takes no text is refused (no
    model of this package takes any yet).

    **Examples**

    ```
    anymask evaluate text --annotations lvis_v1_val.json --pictures coco --model with_text.safetensors
    anymask evaluate text --annotations val.json --pictures val --adapter mine.py --template "a photo of a {}"
    ```
    """
    from anymask.evaluation.experiment import Experiment
    from anymask.evaluation.metrics import BootstrapConfig
    from anymask.evaluation.protocols.text import MEASURES, TextConfig, run, scores
    from anymask.evaluation.text_sheet import text_sheet

    truth = GroundTruthOptions(annotations=annotations, pictures=pictures)
    labelled = truth.open()
    config = TextConfig(
        templates=tuple(template or ("a {}",)),
        vocabulary={} if vocabulary is None else _read_vocabulary(vocabulary),
        per_picture=per_picture,
        max_pictures=max_pictures,
        bootstrap=BootstrapConfig(seed=seed),
    )
    columns = make_columns(model or ([] if adapter else ["tiny"]), "none", device, dtype, adapter or [])
    folder = out if out is not None or json else Path("anymask_text")
    with console.progress_bar("text", unit="pictures") as update:
        outcome = run(config, labelled, columns, out=folder, progress=update)
    times = {
        name: (sum(row.model_s for row in rows) / len(rows), sum(row.scoring_s for row in rows) / len(rows))
        for name, rows in outcome.columns.items()
        if rows
    }
    first = columns[0].name
    experiment = Experiment(
        protocol="text",
        title="Text: phrases as prompts",
        method="Mean IoU over phrases. " + "; ".join(f"{name}: {meaning}" for name, meaning in MEASURES.items()) + ".",
        config=config,
        data=truth.named,
        columns=[column.name for column in columns],
        scores=scores(config, outcome.columns),
        times=times,
        bad=outcome.bad,
        examples=text_sheet(first, outcome.columns[first], labelled) if folder is not None else (),
    )
    finish(experiment, folder, as_json=json)


def _read_vocabulary(path: Path) -> dict[str, tuple[str, ...]]:
    """Category name -> phrases.

    Raises: ConfigError when the file is not there or of another form.
    """
    try:
        plain = json_text.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"--vocabulary {path} cannot be read: {error}") from error
    if not isinstance(plain, dict) or not all(
        isinstance(phrases, list) and phrases and all(isinstance(one, str) and one.strip() for one in phrases)
        for phrases in plain.values()
    ):
        raise ConfigError(f'--vocabulary {path} must be an object of lists of phrases, such as {{"cup": ["a cup"]}}')
    return {name: tuple(phrases) for name, phrases in plain.items()}
