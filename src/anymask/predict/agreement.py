"""Whether an exported graph gives what PyTorch gives: run in onnxruntime, compared number by number."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.errors import ExportError, MissingDependencyError
from anymask.model.embedding import ImageEmbedding
from anymask.model.sam import Sam
from anymask.prompts.types import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, FOREGROUND, PADDING, PromptBatch

TOLERANCE = 1e-3
"""Largest absolute difference of embeddings, logits and predicted IoU that counts as agreement."""

Feeds = dict[str, npt.NDArray[np.generic]]

_POINT, _BOX = (FOREGROUND, PADDING), (BOX_TOP_LEFT, BOX_BOTTOM_RIGHT)


@dataclass(frozen=True, slots=True)
class _Trial:
    """Prompts to compare with."""

    prompts: int
    labels: tuple[int, ...]
    """Of the tokens of each prompt."""
    has_mask: bool = False


TRIALS = (
    _Trial(1, _POINT),
    _Trial(1, _POINT, has_mask=True),
    _Trial(3, _BOX),
    _Trial(16, (FOREGROUND, 0, *_BOX), has_mask=True),
    _Trial(64, (FOREGROUND, 0, FOREGROUND, PADDING)),
)
"""Every kind of prompt, 1 to 64 of them."""


def check_agreement(path: Path, model: Sam, *, only_best: bool = False) -> dict[str, float]:
    """The largest absolute difference of each compared output of the graph at `path` from `model` (float32, CPU).

    Raises: ExportError when one is above `TOLERANCE`, or onnxruntime cannot run the graph; MissingDependencyError.
    """
    worst: dict[str, float] = {}
    session = _Session(path)
    for feeds, expected in _examples(model, session.inputs, only_best=only_best):
        answers = session.run({name: feeds[name] for name in session.inputs})
        for name in expected.keys() & answers.keys():
            difference = _difference(answers[name], expected[name].numpy())
            worst[name] = max(worst.get(name, 0.0), difference)
    wrong = {name: value for name, value in worst.items() if not value <= TOLERANCE}
    if wrong:
        told = ", ".join(f"{name} by {value:.3g}" for name, value in wrong.items())
        raise ExportError(f"the exported graph differs from PyTorch: {told}; at most {TOLERANCE} is accepted")
    return worst


def required(name: str) -> ModuleType:
    """The optional module `name`.

    Raises: MissingDependencyError saying how to get it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(f"export needs {name}; install it with: pip install 'anymask[onnx]'") from error


def embedding_like(model: Sam, seed: int = 0) -> ImageEmbedding:
    """A random embedding of one picture, with the maps that `model`'s encoder gives."""
    with torch.device("meta"), torch.no_grad():
        shapes = Sam(model.config).embed(torch.empty(1, 3, model.input_size, model.input_size))
    generator = torch.Generator().manual_seed(seed)
    return shapes.map(lambda tensor: torch.randn(tensor.shape, generator=generator))


class _Session:
    """A graph in onnxruntime, with as many threads as PyTorch has."""

    def __init__(self, path: Path) -> None:
        runtime = required("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # Its errors have no common base but Exception; a graph it cannot run is one fault, whatever it says.
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ExportError(f"onnxruntime cannot load the exported graph: {error}") from error
        self.inputs = tuple(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())

    def run(self, feeds: Feeds) -> Feeds:
        """All outputs by name."""
        try:
            answers = self._session.run(list(self.outputs), feeds)
        except Exception as error:
            raise ExportError(f"onnxruntime cannot run the exported graph: {error}") from error
        return dict(zip(self.outputs, answers, strict=True))


def _difference(got: npt.NDArray[np.generic], expected: npt.NDArray[np.float32]) -> float:
    """Largest absolute difference; infinite for another shape or a value that is not finite."""
    if got.shape != expected.shape or not np.isfinite(np.asarray(got, np.float32)).all():
        return float("inf")
    return float(np.abs(np.asarray(got, np.float32) - expected).max())


def _examples(model: Sam, inputs: tuple[str, ...], *, only_best: bool) -> Iterator[tuple[Feeds, dict[str, Tensor]]]:
    """What to feed, and what PyTorch answers by output name."""
    generator = torch.Generator().manual_seed(0)
    size = model.input_size
    with torch.no_grad():
        if "pixels" not in inputs:
            embedding = embedding_like(model)
            for trial in TRIALS:
                feeds, expected = _decoded(model, embedding, trial, only_best=only_best)
                yield {**_named(embedding), **feeds}, expected
            return
        for height, width in ((size, size * 2 // 3), (size // 2, size)):
            pixels = torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8)
            embedding = model.embed(model.preprocess(pixels.permute(2, 0, 1)[None]))
            picture: Feeds = {"pixels": pixels.numpy()}
            if "point_coords" not in inputs:
                yield picture, {name: torch.from_numpy(array) for name, array in _named(embedding).items()}
                continue
            for trial in TRIALS[:3]:
                feeds, expected = _decoded(model, embedding, trial, only_best=only_best)
                yield {**picture, **feeds}, expected


def _named(embedding: ImageEmbedding) -> dict[str, npt.NDArray[np.float32]]:
    """The maps of an embedding by the names they have in a graph."""
    finer = {f"finer_{index}": tensor.numpy() for index, tensor in enumerate(embedding.finer)}
    return {"image_embeddings": embedding.main.numpy(), **finer}


def _decoded(
    model: Sam, embedding: ImageEmbedding, trial: _Trial, *, only_best: bool
) -> tuple[Feeds, dict[str, Tensor]]:
    """The prompts of `trial` at random places, and PyTorch's answer by the ordinary way, `Sam.decode`."""
    generator = torch.Generator().manual_seed(trial.prompts)
    count, size = trial.prompts, float(model.input_size)
    points = torch.rand(count, len(trial.labels), 2, generator=generator) * size
    labels = torch.tensor(trial.labels).expand(count, -1)
    mask = torch.randn(count, 1, model.mask_size, model.mask_size, generator=generator) * 4
    prompts = PromptBatch(points, labels, mask if trial.has_mask else None)
    prepared = model.prepare(embedding)
    single, several = (model.decode(prepared, prompts, multimask=multimask) for multimask in (False, True))
    logits, iou = torch.cat((single.logits, several.logits), dim=1), torch.cat((single.iou, several.iou), dim=1)
    is_ambiguous = trial.labels == _POINT and not trial.has_mask
    best = 1 + several.iou.argmax(dim=1) if is_ambiguous else torch.zeros(count, dtype=torch.int64)
    if only_best:
        rows = torch.arange(count)
        logits, iou = logits[rows, best][:, None], iou[rows, best][:, None]
    feeds: Feeds = {
        "point_coords": points.numpy(),
        "point_labels": labels.numpy().astype(np.float32),
        "mask_input": mask.numpy(),
        "has_mask_input": np.full(count, trial.has_mask, np.float32),
        "orig_im_size": np.array([size, size], np.float32),
    }
    return feeds, {"low_res_masks": logits, "iou_predictions": iou, "best_index": best}
