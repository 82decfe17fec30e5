"""`anymask evaluate instances`: the masks that a model gives for boxes, scored as COCO and LVIS score a detector's."""

from __future__ import annotations

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
    from collections.abc import Sequence

    from anymask.evaluation.answering import Answerer
    from anymask.evaluation.published import Published


def instances(
    annotations: ANNOTATIONS = None,
    pictures: PICTURES = None,
    data: DATA = None,
    model: MODELS = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The boxes to ask for: a detector's COCO results json.",
            show_default="the ground truth's own",
        ),
    ] = None,
    min_score: Annotated[float, typer.Option(help="With --boxes: leave out boxes of a lower score.")] = 0.0,
    results: RESULTS = None,
    no_refine: Annotated[
        bool, typer.Option("--no-refine", help="Do not ask again with the box and the first answer.")
    ] = False,
    max_pictures: MAX_PICTURES = None,
    resamples: Annotated[int, typer.Option(help="Resamples of the error bars; each computes AP anew.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the error bars.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report, and to go on from.", show_default="anymask_instances, none with --json"
        ),
    ] = None,
    device: DEVICE = "cpu",
    dtype: DTYPE = Dtype.FLOAT32,
    json: JSON = False,
) -> None:
    """Mask AP of the masks given for a detector's boxes, by size, for COCO and LVIS.

    Each box is asked twice, the second time with the most confident first mask. Without `--boxes` the tight boxes of
    the ground truth are asked for, and what is measured is the masks alone. A file of `--results` (the detector's own
    masks) is scored in the same table. On COCO 100 masks of a category and picture count, on LVIS 300 of a picture and
    only what was looked for in it.

    The folder gets `report.html`, `report.json`, `report.csv`, `report.txt`, and a `NAME.jsonl` for each column: the
    same command goes on where it was stopped.

    **Examples**

    ```
    anymask evaluate instances --annotations instances_val2017.json --pictures val2017 --boxes vitdet.json --model vit_h
    anymask evaluate instances --annotations lvis_v1_val.json --pictures coco --boxes b.json --results vitdet=m.json
    anymask evaluate instances --data val.tar --max-pictures 20
    ```
    """
    from anymask.evaluation.examples import answered_examples
    from anymask.evaluation.experiment import Experiment
    from anymask.evaluation.metrics import BootstrapConfig
    from anymask.evaluation.protocols.instances import InstancesConfig, ModelInstances, run, scores
    from anymask.predict.predictor import Predictor
    from anymask.predict.tasks.instances import InstanceConfig

    truth = GroundTruthOptions(annotations=annotations, pictures=pictures, data=tuple(data or ()))
    labelled = truth.open()
    pipeline = InstanceConfig(refine=not no_refine)
    files = result_files(results or [])
    given = None if boxes is None else result_files([str(boxes)])[0]
    models = model or ([] if files else ["tiny"])
    columns: list[Answerer] = [
        *(
            ModelInstances(Predictor(load_model(one, device, dtype)), column_name(one), pipeline, given, min_score)
            for one in models
        ),
        *files,
    ]
    config = InstancesConfig(max_pictures=max_pictures, bootstrap=BootstrapConfig(seed=seed, resamples=resamples))
    folder = out if out is not None or json else Path("anymask_instances")
    with console.progress_bar("instances", unit="pictures") as update:
        answered = run(config, labelled, columns, out=folder, progress=update)
    first = columns[0].name
    experiment = Experiment(
        protocol="instances",
        title="Instances: mask AP of boxes turned into masks",
        method=(
            f"Average precision over IoU .5 to .95; boxes: {'the ground truth' if boxes is None else boxes}. "
            "Mean IoU is that of the answer nearest to each annotated mask. Brackets: 95 % bootstrap over pictures."
        ),
        config={"experiment": config, "pipeline": pipeline, "min_score": min_score},
        data=truth.named,
        columns=[column.name for column in columns],
        facts={"frequencies": labelled.frequencies},
        scores=scores(config, labelled.frequencies, answered.columns),
        published=_published(bool(labelled.frequencies), len(labelled.categories)) if boxes is not None else (),
        remarks=seen_remarks(models, (name.split("/", 1)[0] for name in labelled.names())),
        times=mean_times(answered),
        bad=answered.bad,
        examples=answered_examples(first, answered.columns[first], labelled) if folder is not None else (),
    )
    finish(experiment, folder, as_json=json)


_COCO_CATEGORIES = 80


def _published(is_lvis: bool, categories: int) -> Sequence[Published]:
    """The paper's rows for this ground truth; none for another than COCO and LVIS."""
    from anymask.evaluation.published import published

    if is_lvis:
        return published("instances_lvis")
    return published("instances_coco") if categories == _COCO_CATEGORIES else ()
