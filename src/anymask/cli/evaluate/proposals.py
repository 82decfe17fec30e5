"""`anymask evaluate proposals`: which share of the annotated masks is among a model's proposals?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.cli.evaluate.columns import column_name
from anymask.cli.evaluate.masks import (
    ANNOTATIONS,
    DATA,
    MAX_PICTURES,
    MODELS,
    PICTURES,
    RESULTS,
    GroundTruthOptions,
    finish,
    mean_times,
    result_files,
    seen_remarks,
)
from anymask.cli.options import DEVICE, DTYPE, JSON, Dtype, load_model

if TYPE_CHECKING:
    from anymask.evaluation.answering import Answerer


class Preset(StrEnum):
    """Settings of the pipeline."""

    PAPER = "paper"
    SINGLE_OUTPUT = "single_output"


def proposals(
    annotations: ANNOTATIONS = None,
    pictures: PICTURES = None,
    data: DATA = None,
    model: MODELS = None,
    results: RESULTS = None,
    preset: Annotated[
        Preset, typer.Option(help="The paper's settings, or those for a model of a single output.")
    ] = Preset.PAPER,
    points_per_side: Annotated[
        int | None,
        typer.Option(help="Side of the grid of clicks.", show_default="64, 128 for single_output", min=1, max=512),
    ] = None,
    max_pictures: MAX_PICTURES = None,
    seed: Annotated[int, typer.Option(help="Seed of the error bars, and of a random rank.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report, and to go on from.", show_default="anymask_proposals, none with --json"
        ),
    ] = None,
    device: DEVICE = "cpu",
    dtype: DTYPE = Dtype.FLOAT32,
    json: JSON = False,
) -> None:
    """Average recall of object proposals at 10, 100 and 1,000 a picture, by size, on LVIS by frequency too.

    Categories are not looked at. A model clicks on a 64 x 64 grid, three masks a click, no filters, box suppression at
    .9; a results file (a detector's, or anyone's proposals) is scored in the same table. Recall by frequency is
    measured against the categories of that frequency alone, as in the paper, whose numbers stand beside ours.

    The folder gets `report.html`, `report.json`, `report.csv`, `report.txt`, and a `NAME.jsonl` for each column: the
    same command goes on where it was stopped.

    **Examples**

    ```
    anymask evaluate proposals --annotations lvis_v1_val.json --pictures coco --model vit_h --device cuda
    anymask evaluate proposals --annotations lvis_v1_val.json --pictures coco --results vitdet=masks.json
    anymask evaluate proposals --data val.tar --max-pictures 10 --points-per-side 16
    ```
    """
    from dataclasses import replace

    from anymask.evaluation.examples import answered_examples
    from anymask.evaluation.experiment import Experiment
    from anymask.evaluation.metrics import BootstrapConfig
    from anymask.evaluation.protocols.proposals import ModelProposer, ProposalsConfig, run, scores
    from anymask.evaluation.published import published
    from anymask.predict.predictor import Predictor
    from anymask.predict.tasks.proposals import ProposalConfig

    truth = GroundTruthOptions(annotations=annotations, pictures=pictures, data=tuple(data or ()))
    labelled = truth.open()
    pipeline = replace(ProposalConfig.named(preset.value), seed=seed)
    if points_per_side is not None:
        pipeline = replace(pipeline, points_per_side=points_per_side)
    files = result_files(results or [])
    models = model or ([] if files else ["tiny"])
    columns: list[Answerer] = [
        *(ModelProposer(Predictor(load_model(one, device, dtype)), column_name(one), pipeline) for one in models),
        *files,
    ]
    config = ProposalsConfig(max_pictures=max_pictures, bootstrap=BootstrapConfig(seed=seed))
    folder = out if out is not None or json else Path("anymask_proposals")
    with console.progress_bar("proposals", unit="pictures") as update:
        answered = run(config, labelled, columns, out=folder, progress=update)
    first = columns[0].name
    experiment = Experiment(
        protocol="proposals",
        title="Proposals: average recall of masks",
        method=(
            "Average recall over IoU .5 to .95 of the annotated masks among the best proposals of each picture; "
            "categories are not looked at, sizes are COCO's (32 and 96 px squared). Brackets: 95 % bootstrap over "
            "pictures."
        ),
        config={"experiment": config, "pipeline": pipeline},
        data=truth.named,
        columns=[column.name for column in columns],
        facts={"frequencies": labelled.frequencies},
        scores=scores(config, labelled.frequencies, answered.columns),
        published=published("proposals") if labelled.frequencies else (),
        remarks=seen_remarks(models, (name.split("/", 1)[0] for name in labelled.names())),
        times=mean_times(answered),
        bad=answered.bad,
        examples=answered_examples(first, answered.columns[first], labelled) if folder is not None else (),
    )
    finish(experiment, folder, as_json=json)
