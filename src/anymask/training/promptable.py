"""Training of the promptable model: simulated people click, every answer is supervised."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from anymask.errors import ConfigError
from anymask.model.embedding import ImageEmbedding
from anymask.model.mask_decoder import PreparedImage
from anymask.model.sam import Sam, SamConfig
from anymask.model.weights import save as save_weights
from anymask.runs import RunFolder
from anymask.training.batches import Batch, Batches, DataConfig, Records, Sample
from anymask.training.embedding_cache import EmbeddingCache
from anymask.training.group import Group
from anymask.training.interactive import Outcome, RoundsConfig, is_plan_random, simulate_each, simulate_together
from anymask.training.learning import Learn, choose_learning
from anymask.training.loop import Loop, Share
from anymask.training.lora import add_lora, merged
from anymask.training.losses import LossConfig, MaskLoss, is_finite
from anymask.training.schedule import OptimizerConfig
from anymask.training.sheets import draw_sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A stretch of training with its own size, number of masks and loss."""

    until: float = 1.0
    """Share of all steps at which the phase ends."""
    size: int | None = None
    """Side of the square input in pixels, a multiple of 32; None for the model's own."""
    masks: int = 64
    """Most masks prompted per picture."""
    mask_loss: MaskLoss = "paper"
    """"paper" (focal and dice), "balanced" or "normalised" (forms of cross-entropy, and dice); see `LossConfig`."""
    clicks: int | None = None
    """Rounds with a new click, if other than RoundsConfig.clicks."""

    def __post_init__(self) -> None:
        if not 0 < self.until <= 1:
            raise ConfigError(f"Phase.until must be in (0, 1], got {self.until}")
        if self.size is not None and (self.size % 32 or self.size < 32):
            raise ConfigError(f"Phase.size must be a multiple of 32, got {self.size}")
        if self.masks < 1:
            raise ConfigError(f"Phase.masks must be at least 1, got {self.masks}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """One complete training run."""

    model: SamConfig
    """Architecture."""
    steps: int
    """Optimiser steps."""
    first_step: int = 0
    """Steps taken before this run began: a run that goes on from weights alone has the data and the learning rate of
    the steps that follow, after a new warm-up."""
    pictures: int = 1
    """Pictures a step, of all processes together."""
    pictures_at_once: int = 0
    """Pictures of a process that are in memory together; their gradients add up to the step's. 0 for all."""
    together: bool = False
    """Prompt the masks of all pictures in memory together, one pass of the decoder a round, with clicks found on the
    device (`training.batch_prompts`): what a GPU needs to be busy. It takes memory for all of their rounds. Without it
    a CPU prompts a few small pictures together anyway, with clicks as ever."""
    masks_a_process: int = 0
    """Most masks prompted in one process and step, shared by its pictures; 0 for no limit but the phase's."""
    phases: tuple[Phase, ...] = (Phase(),)
    """In order; the last must end at 1."""
    data: DataConfig = field(default_factory=DataConfig)
    """Views and masks."""
    rounds: RoundsConfig = field(default_factory=RoundsConfig)
    """The simulated annotator."""
    losses: LossConfig = field(default_factory=LossConfig)
    """Weights of the loss terms."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """AdamW and its schedule."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the forward pass; bfloat16 by autocast, weights stay float32."""
    compile: bool = False
    """Compile the image encoder (torch.compile): minutes at the start of every phase, then faster steps on a GPU."""
    learn: Learn = "all"
    """Which weights learn; see `anymask.training.learning.Learn`."""
    lora_rank: int = 0
    """Rank of the low-rank changes that encoder weights which do not learn themselves get; 0 for none. They are merged
    into the weights that are written."""
    embedding_cache_gib: float = 0.0
    """Embeddings kept on disk when the encoder does not learn, in GiB: a view seen before is not embedded again."""
    exclude_sets: tuple[str, ...] = ()
    """Sets of the data that are left out by name."""
    seed: int = 0
    """Of everything random."""
    checkpoint_every: int = 100
    """Steps between checkpoints."""
    validate_every: int = 500
    """Steps between calls of the validation function; 0 for never."""
    sheet_every: int = 100
    """Steps between contact sheets of predictions; 0 for none."""

    def __post_init__(self) -> None:
        for name in ("steps", "pictures", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"TrainConfig.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("pictures_at_once", "masks_a_process", "lora_rank", "embedding_cache_gib"):
            if getattr(self, name) < 0:
                raise ConfigError(f"TrainConfig.{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.first_step < self.steps:
            raise ConfigError(f"TrainConfig.first_step must be in 0..{self.steps - 1}, got {self.first_step}")
        if self.embedding_cache_gib and (self.learn not in ("decoder", "iou") or self.lora_rank):
            raise ConfigError("TrainConfig.embedding_cache_gib needs an encoder that does not learn: learn='decoder'")
        ends = [phase.until for phase in self.phases]
        if not ends or ends != sorted(ends) or ends[-1] != 1.0:
            raise ConfigError(f"TrainConfig.phases must end in order, the last at 1.0; got {ends}")

    def phase_at(self, step: int) -> Phase:
        """The phase of `step` (from 0)."""
        return next(phase for phase in self.phases if step < phase.until * self.steps or phase.until == 1.0)


_CELLS = 8192
"""On a CPU the masks of several pictures are prompted at once up to so many cells of the main map: 32 masks at an input
of 256 x 256. The fewer there are, the more of a step goes into beginning its operations."""
_ALIKE = 64
"""On a GPU the masks prompted together are filled up to a multiple of this many."""


class Trainer(Loop[Sam]):
    """A run of promptable training."""

    def __init__(
        self,
        config: TrainConfig,
        records: Records,
        run: RunFolder,
        initial: Sam | None = None,
        group: Group | None = None,
    ) -> None:
        """Start or go on: the newest checkpoint of `run` wins over `initial`, which wins over random weights."""
        torch.manual_seed(config.seed)
        model = initial if initial is not None else Sam(config.model)
        choose_learning(model, config.learn)
        if config.lora_rank:
            add_lora(model.image_encoder, config.lora_rank)
        super().__init__(config, model, run, group)
        if config.compile:
            model.image_encoder.compile()  # in place: names of weights stay as they are
        if self._plans_by_size:
            torch.backends.cuda.enable_cudnn_sdp(False)  # it plans for seconds for each new number of masks
        self.config = config
        self.batches = Batches(records, config.data, pictures=config.pictures, seed=config.seed, group=self.group)
        self.skipped["pictures_without_a_mask"] = 0
        self._cache: EmbeddingCache | None = None
        if config.embedding_cache_gib:
            self._cache = EmbeddingCache(run.path / "embeddings", round(config.embedding_cache_gib * 2**30))
        self._batch, self._outcomes = Batch((), (), ()), list[Outcome]()
        self.restore()

    def close(self) -> None:
        self.batches.close()
        super().close()

    def write(self, path: Path) -> None:
        save_weights(merged(self.model), path, {"step": str(self.step)})

    def learn_from(self, step: int) -> Share:
        phase = self.config.phase_at(step)
        self._batch = self.batches.get(step, *self._wants(step), self._following(step))
        self.skipped["pictures_without_a_mask"] += sum(self.group.gather(len(self._batch.skipped)))
        self._outcomes, finite = [], True
        at_once = self.config.pictures_at_once or len(self._batch.samples)
        for start in range(0, len(self._batch.samples), max(1, at_once)):
            part = slice(start, start + at_once)
            outcomes, finite = self._backward(self._batch.samples[part], self._batch.places[part], phase, step)
            self._outcomes += outcomes
            if not finite:
                break
        return Share([float(outcome.loss.detach()) for outcome in self._outcomes], finite)

    def _wants(self, step: int) -> tuple[int, int]:
        """Input size and most masks a picture of `step`."""
        phase, limit = self.config.phase_at(step), self.config.masks_a_process
        shared = max(1, limit // max(1, len(self.batches.places))) if limit else phase.masks
        return phase.size or self.model.input_size, min(phase.masks, shared)

    def _following(self, step: int) -> tuple[int, int, int] | None:
        return None if step + 1 >= self.config.steps else (step + 1, *self._wants(step + 1))

    def _backward(
        self, samples: tuple[Sample, ...], places: tuple[int, ...], phase: Phase, step: int
    ) -> tuple[list[Outcome], bool]:
        """Gradients of some pictures: one encoder pass for all, the decoder's backward by groups of pictures."""
        rounds = self.config.rounds if phase.clicks is None else replace(self.config.rounds, clicks=phase.clicks)
        if self.config.together:
            return self._backward_together(samples, places, rounds, phase, step)
        outcomes: list[Outcome] = []
        with self.autocast():
            embedding = self._embed(samples)
            # Cut here, so that the memory of one group's rounds is freed before the next group's begin.
            leaves = embedding.map(lambda tensor: tensor.detach().requires_grad_(tensor.requires_grad))
        for part in self._groups(samples, rounds):
            with self.autocast():
                played = simulate_each(
                    self.model,
                    self._prepare(leaves, samples, part),
                    [sample.masks for sample in samples[part]],
                    rounds,
                    (self.config.losses, phase.mask_loss),
                    [self._rng(step, place) for place in places[part]],
                )
            loss = torch.stack([outcome.loss for outcome in played]).sum()
            outcomes += [replace(outcome, loss=outcome.loss.detach()) for outcome in played]
            if not is_finite(loss):
                return outcomes, False
            torch.autograd.backward(loss)
        maps = [
            (tensor, leaf.grad)
            for tensor, leaf in zip((embedding.main, *embedding.finer), (leaves.main, *leaves.finer), strict=True)
            if leaf.grad is not None
        ]
        if maps:
            torch.autograd.backward([tensor for tensor, _ in maps], [grad for _, grad in maps])
        return outcomes, True

    def _groups(self, samples: tuple[Sample, ...], rounds: RoundsConfig) -> list[slice]:
        """Which pictures are prompted at once: neighbours, up to `_CELLS` in all."""
        model = self.model
        joins = model.config.prompt_encoder.draw_prompts and model.device.type == "cpu" and not is_plan_random(rounds)
        ends: list[int] = []
        cells = 0
        for index, sample in enumerate(samples):
            more = sample.masks.size // 16**2
            if index and not (joins and cells + more <= _CELLS):
                ends.append(index)
                cells = 0
            cells += more
        return [slice(*pair) for pair in pairwise([0, *ends, len(samples)])] if samples else []

    def _prepare(self, embedding: ImageEmbedding, samples: tuple[Sample, ...], part: slice) -> PreparedImage:
        """Those of the pictures in `part`, for their masks."""
        counts = [len(sample.masks) for sample in samples[part]]
        if len(counts) == 1:
            return self.model.prepare(embedding[part.start])
        return self.model.prepare_several(embedding.map(lambda maps: maps[part]), counts)

    def _backward_together(
        self, samples: tuple[Sample, ...], places: tuple[int, ...], rounds: RoundsConfig, phase: Phase, step: int
    ) -> tuple[list[Outcome], bool]:
        """The same, all pictures' masks in one pass a round."""
        with self.autocast():
            total, tell = simulate_together(
                self.model,
                self._embed_all(samples),
                [sample.masks for sample in samples],
                rounds,
                (self.config.losses, phase.mask_loss),
                [self._rng(step, place) for place in places],
                fill_to=_ALIKE if self._plans_by_size else 1,
            )
        torch.autograd.backward(total)  # without looking at it first: a loss that is not finite is no step anyway
        return tell(), is_finite(total)

    def _embed_all(self, samples: tuple[Sample, ...]) -> ImageEmbedding:
        """`_embed`, on a GPU always of as many pictures: those without a mask have others in their place."""
        places = min(len(self.batches.places), self.config.pictures_at_once or len(self.batches.places))
        missing = places - len(samples) if self._plans_by_size else 0
        return self._embed(samples + samples[:1] * missing)

    @property
    def _plans_by_size(self) -> bool:
        """Whether the device takes seconds to plan for every number of pictures or masks that it has not seen."""
        return self.model.device.type == "cuda"

    def _rng(self, step: int, place: int) -> np.random.Generator:
        """Of the prompts on one picture of the batch."""
        return np.random.default_rng((self.config.seed, 2, step, place))

    def _embed(self, samples: tuple[Sample, ...]) -> ImageEmbedding:
        """The embedding of the samples; without a graph, and from the cache, when the encoder does not learn."""
        if any(parameter.requires_grad for parameter in self.model.image_encoder.parameters()):
            return self.model.embed(self._images(samples))
        self.model.image_encoder.eval()  # what it makes of a view must not depend on chance
        with torch.no_grad():  # one by one, so that it does not matter to a bit whether an embedding was kept
            return ImageEmbedding.stack([self._embed_once(sample) for sample in samples])

    def _embed_once(self, sample: Sample) -> ImageEmbedding:
        def embed() -> ImageEmbedding:
            return self.model.embed(self._images((sample,)))

        if self._cache is None:
            return embed()
        view = sample.pixels.tobytes() + repr((sample.pixels.shape, sample.content_hw)).encode()
        return self._cache.get(view, self.model.device, embed)

    def _images(self, samples: tuple[Sample, ...]) -> Tensor:
        """(B, 3, S, S) normalised."""
        pixels = torch.from_numpy(np.stack([sample.pixels for sample in samples])).permute(0, 3, 1, 2)
        return self.model.normalise_padded(pixels, [sample.content_hw for sample in samples])

    def describe(self) -> dict[str, float]:
        own = [(outcome.first_iou, outcome.last_iou, outcome.is_box) for outcome in self._outcomes]
        found = [columns for share in self.group.gather(own) for columns in share]
        if not found:
            return {}
        first, last, box = (np.concatenate(column) for column in zip(*found, strict=True))
        values = {"masks": float(len(first)), "last_iou": float(last.mean())}
        for name, chosen in (("point_iou", ~box), ("box_iou", box)):
            if chosen.any():
                values[name] = float(first[chosen].mean())
        return values

    def draw(self, path: Path) -> None:
        if len(self._outcomes) == len(self._batch.samples) > 0:
            draw_sheet(path, self._batch, self._outcomes)
