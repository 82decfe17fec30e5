"""A score of a model in training: few pictures, one prompt each, no file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np

from anymask.dataset.record import Record
from anymask.evaluation.protocols.points import PointsConfig, score_picture
from anymask.evaluation.results import FIRST_MEASURES, samples
from anymask.evaluation.segmenter import ModelSegmenter
from anymask.model.sam import Sam
from anymask.predict.predictor import Predictor


def quick_score(model: Sam, records: Iterable[Record], max_pictures: int = 64) -> dict[str, float]:
    """Mean IoU of `model` on the first `max_pictures` of `records`, by the first prompts of the points protocol.

    `click`, `click_oracle`, `box`, `box_confident` and `box_oracle` are means over sets; `click/SET` and so on are each
    set's. Empty when no picture has a target. The model is evaluated in eval mode and left in the mode it was in.

    Raises: ImageError or DatasetError for a damaged picture.
    """
    was_training = model.training
    model.eval()
    try:
        segmenter = ModelSegmenter(Predictor(model))
        config = PointsConfig(clicks=(1,))
        results = [score_picture(segmenter, record, config) for record in islice(records, max_pictures)]
    finally:
        model.train(was_training)
    scores: dict[str, float] = {}
    for measure in FIRST_MEASURES:
        per_set = {name: float(sample.values.mean()) for name, sample in samples(results, measure).items()}
        if per_set:
            scores[measure] = float(np.mean(list(per_set.values())))
        scores |= {f"{measure}/{name}": value for name, value in per_set.items()}
    return scores
