"""Free text as a prompt: does the mask of a phrase meet one of the objects meant, and does a click help where it fails?

Every category that is annotated in a picture gives phrases; the answer to a phrase is compared with the annotated masks
of that category. The paper shows this experiment in pictures only (section 7.5); the measures are ours. Any column that
takes text can be scored, today's models say that they cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError, DatasetError, ImageError, MaskError
from anymask.evaluation.answering import Progress
from anymask.evaluation.metrics import BootstrapConfig, Sample, iou_of_each, mean_interval
from anymask.evaluation.pictures import LabelledPicture, LabelledPictures, draw, truth_hash
from anymask.evaluation.rows import RowFile
from anymask.evaluation.scores import Score
from anymask.evaluation.segmenter import Segmenter, predict_many
from anymask.images.load import load_image
from anymask.masks.rle import decode, encode, from_json, to_json
from anymask.masks.types import Rle
from anymask.prompts.clicks import most_interior_point
from anymask.prompts.types import Prompt

Mask = npt.NDArray[np.bool_]
MEASURES = {
    "text": "text alone: IoU with the nearest object of that name",
    "text oracle": "text alone: the best of its masks",
    "text, all objects": "text alone: IoU with all objects of that name together",
    "point": "a click in the middle of an object, without text",
    "text + point": "the same click with the text",
}
"""What is measured, in the order of tables."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextConfig:
    """The experiment's settings."""

    templates: tuple[str, ...] = ("a {}",)
    """Phrases for a category; its name takes the place of {}."""
    vocabulary: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Phrases for the categories named here, instead of those of the templates."""
    per_picture: int = 4
    """Most phrases of one picture, in the order of the categories' first masks."""
    max_pictures: int | None = None
    """Most pictures, a fixed draw; all when None."""
    max_bad_share: float = 0.05
    """A larger share of unreadable pictures ends the evaluation with an error; fewer are named and left out."""
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)
    """Error bars."""

    def __post_init__(self) -> None:
        if not self.templates or not all("{}" in template for template in self.templates):
            raise ConfigError(f"TextConfig.templates need {{}} for the category's name, got {self.templates}")
        if self.per_picture < 1:
            raise ConfigError(f"TextConfig.per_picture must be at least 1, got {self.per_picture}")
        if self.max_pictures is not None and self.max_pictures < 1:
            raise ConfigError(f"TextConfig.max_pictures must be at least 1, got {self.max_pictures}")
        if not 0 <= self.max_bad_share <= 1:
            raise ConfigError(f"TextConfig.max_bad_share must be in [0, 1], got {self.max_bad_share}")

    def phrases(self, name: str) -> tuple[str, ...]:
        """What is asked for a category of that name."""
        return self.vocabulary.get(name) or tuple(template.format(name) for template in self.templates)


@dataclass(frozen=True, kw_only=True, slots=True)
class PhraseScore:
    """What one phrase found in one picture."""

    phrase: str
    nearest: float
    """IoU of the most confident mask with the object nearest to it."""
    oracle: float
    """The same of the best mask."""
    union: float
    """IoU of the most confident mask with all objects meant together."""
    point: float | None
    """IoU of a click on the first object; None for a column that takes no clicks."""
    with_point: float | None
    """IoU of phrase and click together."""
    mask: Rle
    """The answer to the phrase."""
    mask_with_point: Rle | None
    """The answer to both."""
    click_xy: tuple[float, float]
    """Where the click is: in the middle of the object that the phrase alone met worst."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextResult:
    """What one column found in one picture."""

    picture: str
    sha256: str
    phrases: tuple[PhraseScore, ...]
    model_s: float = field(default=0.0, compare=False)
    scoring_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class TextOutcome:
    """What an evaluation found."""

    columns: dict[str, tuple[TextResult, ...]]
    bad: tuple[tuple[str, str], ...]
    """Pictures that could not be read, each with the reason; in no score."""


def run(
    config: TextConfig,
    pictures: LabelledPictures,
    segmenters: Sequence[Segmenter],
    *,
    out: Path | None = None,
    progress: Progress | None = None,
) -> TextOutcome:
    """Ask every column every phrase. With `out`, results are kept in `NAME.jsonl`, and a second run goes on there.

    Raises: UnsupportedPromptError at the first picture for a model that takes no text; ConfigError for data without
    category names, or columns of one name; DatasetError and RunError as `answer_all`.
    """
    names = [one.name for one in segmenters]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"an evaluation needs at least one column, each with its own name, got {names}")
    if not pictures.categories:
        raise ConfigError("text needs category names; give --annotations FILE with --pictures DIR (COCO or LVIS)")
    wanted = draw(pictures.names(), config.max_pictures)
    files = {} if out is None else {one.name: _file(out, config, one) for one in segmenters}
    found: dict[str, list[TextResult]] = {name: [] for name in names}
    bad: list[tuple[str, str]] = []
    for done, picture in enumerate(pictures.take(wanted), start=1):
        try:
            results = {one.name: _result(config, one, picture, pictures.categories, files) for one in segmenters}
        except (ImageError, DatasetError, MaskError) as error:
            bad.append((picture.name, str(error)))
        else:
            for name, result in results.items():
                found[name].append(result)
        if progress is not None:
            progress(done, len(wanted))
    if not wanted or len(bad) > config.max_bad_share * len(wanted):
        raise DatasetError(f"{len(bad)} of {len(wanted)} pictures cannot be used; repair the data. {dict(bad[:1])}")
    return TextOutcome(columns={name: tuple(rows) for name, rows in found.items()}, bad=tuple(bad))


def score_picture(
    config: TextConfig, segmenter: Segmenter, picture: LabelledPicture, categories: Mapping[int, str], sha256: str
) -> TextResult:
    """One column's scores on one picture.

    Raises: UnsupportedPromptError for a column that takes no text; ImageError, DatasetError or MaskError for damage.
    """
    start, model_s = perf_counter(), 0.0
    scores: list[PhraseScore] = []
    questions = _questions(config, picture, categories)
    if questions:
        image = load_image(picture.image_bytes())
        before = perf_counter()
        segmenter.set_image(image.pixels)
        model_s += perf_counter() - before
        for phrase, objects in questions:
            before = perf_counter()
            (answer,) = predict_many(segmenter, [Prompt(text=phrase)], multimask=True)
            model_s += perf_counter() - before
            scored, spent = _score(segmenter, phrase, objects, answer.masks, answer.best)
            scores.append(scored)
            model_s += spent
    spent_in_all = perf_counter() - start
    return TextResult(
        picture=picture.name, sha256=sha256, phrases=tuple(scores), model_s=model_s, scoring_s=spent_in_all - model_s
    )


def samples(results: Sequence[TextResult], measure: str) -> Sample | None:
    """The scores called `measure` of every phrase that has it; None when there is none."""
    pairs = [(_value(one, measure), result.picture) for result in results for one in result.phrases]
    known = [(value, name) for value, name in pairs if value is not None]
    return Sample(np.array([value for value, _ in known]), tuple(name for _, name in known)) if known else None


def scores(config: TextConfig, columns: Mapping[str, Sequence[TextResult]]) -> list[Score]:
    """Every column's means with their intervals."""
    found = []
    for column, results in columns.items():
        for measure in MEASURES:
            sample = samples(results, measure)
            if sample is not None:
                value = mean_interval(sample, config.bootstrap)
                found.append(Score(column=column, measure=measure, value=value))
    return found


def _questions(
    config: TextConfig, picture: LabelledPicture, categories: Mapping[int, str]
) -> list[tuple[str, list[Mask]]]:
    """(phrase, the masks of the objects it means), at most `per_picture`."""
    truth = picture.truth()
    single = truth.take(~truth.is_crowd & (truth.area_px > 0))
    found = []
    for category in dict.fromkeys(single.categories.tolist()):
        masks = [decode(rle) for rle, own in zip(single.rles, single.categories, strict=True) if own == category]
        objects = [mask for mask in masks if mask.any()]
        if objects and category in categories:
            found += [(phrase, objects) for phrase in config.phrases(categories[category])]
    return found[: config.per_picture]


def _score(
    segmenter: Segmenter, phrase: str, objects: Sequence[Mask], masks: Mask, best: int
) -> tuple[PhraseScore, float]:
    """The scores of one phrase, and the seconds that the clicks took the column."""
    per_object = np.array([iou_of_each(masks, one) for one in objects])  # (objects, masks)
    worst = objects[int(per_object[:, best].argmin())]
    click = most_interior_point(worst)
    point, with_point, mask_with_point, spent = None, None, None, 0.0
    if segmenter.takes_points:
        prompts = [Prompt(points_xy=np.array([click])), Prompt(points_xy=np.array([click]), text=phrase)]
        before = perf_counter()
        alone, both = predict_many(segmenter, prompts, multimask=True)
        spent = perf_counter() - before
        point = float(iou_of_each(alone.masks, worst)[alone.best])
        with_point = float(iou_of_each(both.masks, worst)[both.best])
        mask_with_point = encode(both.masks[both.best])
    score = PhraseScore(
        phrase=phrase,
        nearest=float(per_object[:, best].max()),
        oracle=float(per_object.max()),
        union=float(iou_of_each(masks[best : best + 1], np.logical_or.reduce(list(objects)))[0]),
        point=point,
        with_point=with_point,
        mask=encode(masks[best]),
        mask_with_point=mask_with_point,
        click_xy=click,
    )
    return score, spent


def _value(score: PhraseScore, measure: str) -> float | None:
    values = (score.nearest, score.oracle, score.union, score.point, score.with_point)
    return dict(zip(MEASURES, values, strict=True))[measure]


def _file(out: Path, config: TextConfig, segmenter: Segmenter) -> RowFile[TextResult]:
    phrases = f"{config.templates} {sorted(config.vocabulary.items())} at most {config.per_picture}"
    settings = f"text {phrases} {segmenter.name}: {segmenter.fingerprint}"
    return RowFile(out / f"{segmenter.name}.jsonl", settings, _to_plain, text_from_plain)


def _result(
    config: TextConfig,
    segmenter: Segmenter,
    picture: LabelledPicture,
    categories: Mapping[int, str],
    files: Mapping[str, RowFile[TextResult]],
) -> TextResult:
    sha256 = truth_hash(picture.image_bytes(), picture.truth())
    kept = files[segmenter.name].get(picture.name, sha256) if files else None
    if kept is not None:
        return kept
    result = score_picture(config, segmenter, picture, categories, sha256)
    if files:
        files[segmenter.name].add(result)
    return result


def _to_plain(result: TextResult) -> dict[str, Any]:
    plain = asdict(result)
    for score, row in zip(result.phrases, plain["phrases"], strict=True):
        row["mask"] = to_json(score.mask)
        row["mask_with_point"] = None if score.mask_with_point is None else to_json(score.mask_with_point)
    return plain


def text_from_plain(plain: dict[str, Any]) -> TextResult:
    """The result of one line of the file."""
    phrases = []
    for row in plain["phrases"]:
        both = None if row["mask_with_point"] is None else from_json(row["mask_with_point"])
        changed = {"mask": from_json(row["mask"]), "mask_with_point": both, "click_xy": tuple(row["click_xy"])}
        phrases.append(PhraseScore(**{**row, **changed}))
    return TextResult(**{**plain, "phrases": tuple(phrases)})
