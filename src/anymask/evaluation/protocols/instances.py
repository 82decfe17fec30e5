"""Instance segmentation: the masks that a model gives for a detector's boxes, scored like the detector's own.

Boxes come from a results file, with their categories and scores, or from the ground truth itself; then a mask's score
is the model's own, and what is measured is the masks alone. On LVIS only what was looked for is counted.

Source: SAM (arXiv 2304.02643) section 7.4 and appendix D.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from anymask.dataset.formats.lvis import FREQUENCIES, Frequency
from anymask.evaluation.answering import Answered, Answerer, AnsweringConfig, PictureScore, Progress, answer_all
from anymask.evaluation.average import Tally, bootstrap, mean_of, precision_by_category, tally
from anymask.evaluation.file_answers import FileAnswers
from anymask.evaluation.matching import SIZES, MatchConfig, PictureAnswers, PictureTruth
from anymask.evaluation.metrics import BootstrapConfig, Interval, Sample, mean_interval
from anymask.evaluation.pictures import LabelledPicture, LabelledPictures
from anymask.evaluation.scores import Score
from anymask.images.load import LoadedImage
from anymask.masks.boxes import rles_to_boxes
from anymask.predict.predictor import Predictor
from anymask.predict.tasks.instances import InstanceConfig, segment_boxes

Floats = npt.NDArray[np.float64]
_AT_50, _AT_75 = 0, 5
"""Places of IoU .5 and .75 among the thresholds."""
_LVIS_ANSWERS = 300
_NO_LIMIT = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class InstancesConfig:
    """The experiment's settings."""

    max_pictures: int | None = None
    """Most pictures of each set, a fixed draw; all when None."""
    bootstrap: BootstrapConfig = field(default_factory=lambda: BootstrapConfig(resamples=200))
    """Error bars; each resample is a whole computation of AP."""

    def answering(self, *, is_lvis: bool) -> AnsweringConfig:
        """How answers are matched: COCO counts 100 of each category, LVIS 300 of a picture."""
        lvis = MatchConfig(max_answers=_NO_LIMIT, max_per_picture=_LVIS_ANSWERS)
        matching = lvis if is_lvis else MatchConfig(max_answers=100)
        return AnsweringConfig(matching=matching, max_pictures=self.max_pictures)


@dataclass(slots=True)
class ModelInstances:
    """A promptable model as a column, given boxes."""

    predictor: Predictor
    name: str = "model"
    config: InstanceConfig = field(default_factory=InstanceConfig)
    boxes: FileAnswers | None = None
    """The detector's results; the tight boxes of the ground truth when None."""
    min_score: float = 0.0
    """Boxes of a lower score are not asked for."""

    @property
    def fingerprint(self) -> str:
        """The hash of the weights, what they are computed in, and where boxes come from."""
        model = self.predictor.model
        boxes = "ground truth" if self.boxes is None else f"{self.boxes.fingerprint} from {self.min_score}"
        return f"{self.predictor.model_sha256()} {model.dtype} {model.device.type} {self.config} boxes {boxes}"

    def answer(self, picture: LabelledPicture, image: LoadedImage, truth: PictureTruth) -> PictureAnswers:
        """A mask for each box.

        Raises: DatasetError when the results file cannot be read.
        """
        if self.boxes is None:
            single = truth.take(~truth.is_crowd)
            boxes, categories, scores = rles_to_boxes(single.rles), single.categories, None
        else:
            found = self.boxes.detections(picture)
            found = found.take(found.scores >= self.min_score)
            boxes, categories, scores = found.boxes_xyxy, found.categories, found.scores
        touching = _touch(boxes, image.size_hw)
        self.predictor.set_image(image)
        masks = segment_boxes(self.predictor, boxes[touching], self.config)
        return PictureAnswers(
            rles=masks.rles,
            scores=masks.predicted_iou.astype(np.float64) if scores is None else scores[touching],
            area_px=masks.area_px.astype(np.float64),
            categories=categories[touching],
            boxes_xyxy=boxes[touching],
        )


def run(
    config: InstancesConfig,
    pictures: LabelledPictures,
    columns: Sequence[Answerer],
    *,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Answered:
    """The masks of every column on every picture, matched.

    Raises: as `answer_all`.
    """
    answering = config.answering(is_lvis=bool(pictures.frequencies))
    return answer_all(answering, pictures, columns, out=out, progress=progress)


def measures(frequencies: dict[int, Frequency]) -> list[str]:
    """The names of the scores, in the order of tables."""
    sizes = [f"AP {division.name}" for division in SIZES[1:]]
    return ["AP", "AP50", "AP75", *sizes, *(f"AP {_LONG[key]}" for key in FREQUENCIES if frequencies)]


_LONG: dict[Frequency, str] = {"r": "rare", "c": "common", "f": "frequent"}


def numbers(
    frequencies: dict[int, Frequency], rows: Sequence[PictureScore], weights: Floats | None = None
) -> list[float]:
    """The scores of one column, pictures weighted: those of `measures`."""
    return _numbers(tally(row.matches for row in rows), frequencies, weights)


def difference(
    config: InstancesConfig,
    frequencies: dict[int, Frequency],
    first: Sequence[PictureScore],
    second: Sequence[PictureScore],
) -> list[Interval]:
    """The scores of the first column minus those of the second, of the same pictures in the same order, by paired
    bootstrap: those of `measures`.

    Raises: ConfigError for no picture.
    """
    a, b = (tally(row.matches for row in rows) for rows in (first, second))

    def apart(weights: Floats | None) -> Floats:
        left, right = (np.array(_numbers(one, frequencies, weights), np.float64) for one in (a, b))
        return np.asarray(left - right)

    return bootstrap(a, apart, config.bootstrap)


def scores(
    config: InstancesConfig, frequencies: dict[int, Frequency], columns: Mapping[str, Sequence[PictureScore]]
) -> list[Score]:
    """Every column's AP with its interval, and the mean IoU of the mask nearest to each annotated one.

    Raises: ConfigError for no picture.
    """
    found = []
    for column, rows in columns.items():
        every = tally(row.matches for row in rows)
        intervals = bootstrap(every, partial(_numbers, every, frequencies), config.bootstrap)
        for measure, interval in zip(measures(frequencies), intervals, strict=True):
            found.append(Score(column=column, measure=measure, value=interval))
        pairs = [(one.iou, row.picture) for row in rows for one in row.nearest]
        if pairs:
            values, names = zip(*pairs, strict=True)
            sample = Sample(np.array(values), names)
            found.append(Score(column=column, measure="mean IoU", value=mean_interval(sample, config.bootstrap)))
    return found


def _numbers(every: Tally, frequencies: dict[int, Frequency], weights: Floats | None = None) -> list[float]:
    precision = precision_by_category(every, weights)
    found = [mean_of(precision, 0), mean_of(precision, 0, _AT_50), mean_of(precision, 0, _AT_75)]
    found += [mean_of(precision, division) for division in range(1, len(SIZES))]
    for frequency in FREQUENCIES if frequencies else ():
        own = {key: value for key, value in precision.items() if frequencies.get(key) == frequency}
        found.append(mean_of(own, 0))
    return found


def _touch(boxes_xyxy: npt.NDArray[np.float32], size_hw: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(N,) whether each box touches the picture; a detector's may lie beside it, and no model is asked for those."""
    height, width = size_hw
    x0, y0, x1, y1 = boxes_xyxy.reshape(-1, 4).T
    return np.asarray((x1 >= 0) & (y1 >= 0) & (x0 <= width) & (y0 <= height))
