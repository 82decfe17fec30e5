"""A training step beside a plain one: the same pictures, prompts and weights.  python -m benchmarks.training SHARD

The plain side is what one writes first after the public code, which has no training: the picture is encoded anew every
time, its embedding is there once for every prompt, attention projects all of it, pictures come one after the other, and
every kernel is PyTorch's own choice. Its losses are compared with ours.
Cases: `tiny` (recipe tiny_longer, a step of its first phase), `tiny, decoder` (recipe finetune_decoder, pictures seen
before), `ViT-B, decoder` (the same with the released model's architecture, random weights; the plain side is the public
package's own modules), `ViT-B, rounds` (the paper's eleven rounds on a given embedding, without dropout).
The optimiser and the making of samples, which in a run are made ahead, are left out on both sides. `--profile` prints
where our time goes instead, operator by operator.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

import anymask
from anymask.dataset.index import RecordIndex
from anymask.model import convolutions, layers
from anymask.model.embedding import ImageEmbedding
from anymask.model.mask_decoder import PreparedImage
from anymask.model.sam import MaskPrediction, Sam
from anymask.prompts.types import PromptBatch
from anymask.recipes import recipe
from anymask.runs import RunFolder
from anymask.training.batches import Sample
from anymask.training.interactive import RoundsConfig, simulate_each
from anymask.training.promptable import Phase, TrainConfig, Trainer
from benchmarks.harness import Options, Report, run
from benchmarks.models import our_vit_b, public_vit_b, weights_file

PICTURES, MASKS = 2, 8
"""Of a step."""
STEP = 13
"""Which step is taken, again and again: with train-00, one of 11 masks in case `tiny`, about as many as on average."""
CASES = ("tiny", "tiny, decoder", "ViT-B, decoder", "ViT-B, rounds")


def config_of(case: str) -> TrainConfig:
    """The recipe of a case with `PICTURES` pictures of at most `MASKS` masks."""
    if case == "ViT-B, rounds":
        base = replace(recipe("finetune_decoder"), rounds=RoundsConfig())
        phase = Phase(masks=MASKS)
    else:
        base = recipe("tiny_longer" if case == "tiny" else "finetune_decoder")
        phase = replace(base.phases[0], masks=MASKS, until=1.0)
    return replace(base, pictures=PICTURES, phases=(phase,), sheet_every=0)


def ours(data: str) -> dict[str, Callable[[], list[np.ndarray]]]:
    """`Trainer.learn_from` with its gradients; embeddings that the recipe keeps are there after the first turn."""
    trainers = {case: _trainer(case, data) for case in CASES}
    for trainer in trainers.values():
        batch = trainer.batches.make(STEP, *trainer._wants(STEP))
        mock.patch.object(trainer.batches, "get", return_value=batch).start()
    return {case: functools.partial(_our_step, trainer) for case, trainer in trainers.items()}


def _trainer(case: str, data: str) -> Trainer:
    model = our_vit_b() if case.startswith("ViT-B") else anymask.load("tiny")
    config = replace(config_of(case), model=model.config)
    return Trainer(config, RecordIndex([data]), RunFolder(Path(tempfile.mkdtemp())), model)


def _our_step(trainer: Trainer) -> list[np.ndarray]:
    trainer.optimizer.zero_grad(set_to_none=True)
    return [np.array(trainer.learn_from(STEP).losses)]


def plain(data: str) -> dict[str, Callable[[], list[np.ndarray]]]:
    """The same step on plain models, whose layers, in this process, know nothing of ours."""
    for module in (layers, convolutions):
        mock.patch.object(module, "computes_plainly", return_value=False).start()
    found = {}
    for case in CASES:
        trainer = _trainer(case, data)
        config = trainer.config
        public = public_vit_b() if case.startswith("ViT-B") else None
        model = PlainModel(trainer.model, public, keeps=case == "ViT-B, rounds")
        phase = config.phase_at(STEP)
        samples = trainer.batches.make(STEP, phase.size or model.sam.input_size, phase.masks).samples
        images = [trainer._images((sample,)) for sample in samples]
        trainer.close()
        found[case] = functools.partial(_plain_step, model, config, samples, images)
    return found


def _plain_step(
    model: PlainModel, config: TrainConfig, samples: tuple[Sample, ...], images: list[Tensor]
) -> list[np.ndarray]:
    phase = config.phase_at(STEP)
    rounds = config.rounds if phase.clicks is None else replace(config.rounds, clicks=phase.clicks)
    for parameter in model.parameters():
        parameter.grad = None
    losses = []
    for place, (sample, image) in enumerate(zip(samples, images, strict=True)):
        prepared = model.embed(image)
        rng = np.random.default_rng((config.seed, 2, STEP, place))
        played = simulate_each(model, prepared, [sample.masks], rounds, (config.losses, phase.mask_loss), [rng])
        played[0].loss.backward()
        losses.append(float(played[0].loss.detach()))
    return [np.array(losses)]


@dataclass(slots=True)
class PlainModel:
    """A `Sam` as one writes it first; with `public`, that package's encoder and decoder."""

    sam: Sam
    public: Any = None
    keeps: bool = False
    """Whether an embedding is kept for the next turn, as ours are: what is measured is then the rounds alone."""
    kept: dict[int, PreparedImage] = field(default_factory=dict)

    def parameters(self) -> list[Tensor]:
        """All that may have gradients."""
        return [*self.sam.parameters(), *(self.public.parameters() if self.public is not None else ())]

    def embed(self, image: Tensor) -> PreparedImage:
        """(1, 3, S, S) normalised -> its embedding, in the graph where the encoder learns."""
        if id(image) in self.kept:
            return self.kept[id(image)]
        learns = any(parameter.requires_grad for parameter in self.sam.image_encoder.parameters())
        with torch.set_grad_enabled(learns):
            found = self.sam.embed(image) if self.public is None else ImageEmbedding(self.public.image_encoder(image))
        height, width = found.main.shape[-2:]
        no_mask = self.sam.prompt_encoder.no_mask_embed.weight[:, :, None, None]
        prepared = PreparedImage(found, self.sam.prompt_encoder.dense_position(height, width), no_mask)
        if self.keeps:
            self.kept[id(image)] = prepared
        return prepared

    def decode_all(self, prepared: PreparedImage, prompts: PromptBatch) -> MaskPrediction:
        """All masks of P prompts, the embedding once for each."""
        count = len(prompts.points_xy)
        main, *finer = (m.repeat_interleave(count, 0) for m in (prepared.embedding.main, *prepared.embedding.finer))
        encoded = self.sam.prompt_encoder(prompts, prepared.embedding.main.shape[-1] * 16)
        if self.public is None:
            repeated = replace(prepared, embedding=ImageEmbedding(main, tuple(finer)))
            return MaskPrediction(*self.sam.mask_decoder(repeated, encoded))
        dense = prepared.no_mask.expand_as(main) if encoded.dense is None else encoded.dense
        logits, iou = self.public.mask_decoder.predict_masks(
            image_embeddings=prepared.embedding.main,
            image_pe=prepared.position,
            sparse_prompt_embeddings=encoded.sparse,
            dense_prompt_embeddings=dense,
        )
        return MaskPrediction(logits, iou)


def profile(data: str) -> None:
    """Print where the time of our steps goes, by operator, one thread."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    torch.set_num_threads(1)
    for case, step in ours(data).items():
        step()
        with record(activities=[ProfilerActivity.CPU]) as found:
            step()
        print(f"{case}\n{found.key_averages().table(sort_by='self_cpu_time_total', row_limit=12)}")


def main(arguments: list[str]) -> Report | None:
    """Measure and print; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a shard")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args(arguments)
    weights_file()
    if asked.profile:
        profile(asked.data)
        return None
    options = Options(cases=CASES, turns=asked.turns, compare=_losses)
    sides = (functools.partial(ours, asked.data), functools.partial(plain, asked.data))
    return run("training", "the same step, plain", *sides, options)


def _losses(ours: list[np.ndarray], peer: list[np.ndarray]) -> str:
    return f"losses differ by {np.abs(ours[0] / peer[0] - 1).max():.0e} of themselves at most"


if __name__ == "__main__":
    main(sys.argv[1:])
