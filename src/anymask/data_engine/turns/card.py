"""The model card of a turn: what the candidate learned from, how it compares, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anymask.data_engine.promote import Decision
from anymask.data_engine.turns.freeze import DatasetVersion
from anymask.data_engine.turns.score import ModelScores
from anymask.data_engine.turns.stages import StageNumbers
from anymask.dataset.licences import SetLicence
from anymask.figures.tables import Table, as_markdown

CARD = "model_card.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class CardFacts:
    """All that the card is written from."""

    number: int
    stage: str
    start_sha256: str
    candidate_sha256: str
    version: DatasetVersion
    generated_masks: int
    numbers: StageNumbers
    scores: Sequence[ModelScores]
    decision: Decision
    licences: Mapping[str, SetLicence]


def to_markdown(facts: CardFacts) -> str:
    """The card as text."""
    version, decision = facts.version, facts.decision
    automatic = f", and {facts.generated_masks:,} masks that the model made alone" if facts.generated_masks else ""
    return (
        "\n\n".join(
            [
                f"# Model card: turn {facts.number}, {facts.candidate_sha256[:12]}",
                f"**{decision.reason[:1].upper()}{decision.reason[1:]}.**",
                "## What it is",
                "A promptable segmentation model, trained by a turn of the data engine in its stage "
                f"{facts.stage.replace('_', ' ')}, from the weights `{facts.start_sha256}`; its own hash is "
                f"`{facts.candidate_sha256}`. `training/model_card.md` describes the training itself.",
                "## What it learned from",
                f"{version.masks['train']:,} accepted masks on {version.pictures['train']:,} pictures{automatic}; "
                f"{version.masks['held']:,} masks on {version.pictures['held']:,} pictures were held back. Content "
                f"hash: `{version.content_sha256}`.",
                as_markdown(Table(("set", "pictures", "licence"), _licences(facts))),
                _people(facts.numbers),
                "## Scores",
                "Mean IoU, mean over sets, of the model before and of this one on the same masks and prompts; clicks "
                "a mask until the IoU that is asked for.",
                as_markdown(_scores(facts.scores)),
                "\n".join(f"- {verdict}" for verdict in decision.verdicts),
                "## Limits",
                "- Scored on the kinds of pictures above; of others nothing is known.\n"
                "- Masks have no classes, and what a single click means is a guess.\n"
                "- Its terms are the strictest of its start and of the sets above.",
            ]
        )
        + "\n"
    )


def _licences(facts: CardFacts) -> list[list[str | int]]:
    not_stated = "not stated: state it yourself"
    known = facts.licences
    return [
        [name, count, known[name].licence if name in known else not_stated]
        for name, count in facts.version.sets.items()
    ]


def _people(numbers: StageNumbers) -> str:
    if numbers.seconds_a_mask is None or numbers.masks_a_picture is None:
        return "Nobody worked on masks in this stage."
    return (
        f"In this stage people took {numbers.seconds_a_mask:.1f} s a mask (median) and {numbers.clicks_a_mask:.1f} "
        f"clicks (mean), and there are {numbers.masks_a_picture:.1f} masks a picture, {numbers.by_model:,} of "
        f"{numbers.masks:,} first proposed by a model."
    )


def _scores(scores: Sequence[ModelScores]) -> Table:
    measures = list(dict.fromkeys(name for one in scores for name in one.means if "/" not in name))
    rows: list[list[str]] = []
    for one in scores:
        means = [f"{one.means[name]:.3f}" if name in one.means else "-" for name in measures]
        clicks = "-" if one.clicks_a_mask is None else f"{one.clicks_a_mask:.2f}"
        rows.append([one.model_sha256[:12], one.data, str(one.masks), *means, clicks])
    return Table(("model", "data", "masks", *measures, "clicks a mask"), rows)
