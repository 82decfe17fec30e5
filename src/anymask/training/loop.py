"""The training loop: take a batch, simulate people, step, look, save; killed anywhere, it goes on to the same bits."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from anymask.errors import ConfigError
from anymask.model.sam import Sam, SamConfig
from anymask.model.weights import save as save_weights
from anymask.runs import RunFolder
from anymask.training.batches import Batch, Batches, DataConfig, Records
from anymask.training.checkpoint import Checkpoint, load_latest
from anymask.training.checkpoint import save as save_checkpoint
from anymask.training.group import Group
from anymask.training.interactive import Outcome, RoundsConfig, simulate
from anymask.training.losses import LossConfig, MaskLoss, is_finite
from anymask.training.schedule import (
    MovingAverage,
    OptimizerConfig,
    freeze_all_but_iou,
    make_optimizer,
    rate_at,
    set_rate,
)
from anymask.training.sheets import draw_sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A stretch of training with its own size, number of masks and loss."""

    until: float = 1.0
    """Share of all steps at which the phase ends."""
    size: int = 1024
    """Side of the square input in pixels; a multiple of 32."""
    masks: int = 64
    """Most masks prompted per picture."""
    mask_loss: MaskLoss = "paper"
    """"paper" (focal and dice), "balanced" or "normalised" (forms of cross-entropy, and dice); see `LossConfig`."""
    clicks: int | None = None
    """Rounds with a new click, if other than RoundsConfig.clicks."""

    def __post_init__(self) -> None:
        if not 0 < self.until <= 1:
            raise ConfigError(f"Phase.until must be in (0, 1], got {self.until}")
        if self.size % 32 or self.size < 32:
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
    pictures: int = 1
    """Pictures a step."""
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
    learn: Literal["all", "iou"] = "all"
    """What learns: all of the model, or only how it predicts its masks' IoU (no backward pass through the rest)."""
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
        ends = [phase.until for phase in self.phases]
        if not ends or ends != sorted(ends) or ends[-1] != 1.0:
            raise ConfigError(f"TrainConfig.phases must end in order, the last at 1.0; got {ends}")

    def phase_at(self, step: int) -> Phase:
        """The phase of `step` (from 0)."""
        return next(phase for phase in self.phases if step < phase.until * self.steps or phase.until == 1.0)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a progress bar needs after each step."""

    step: int
    steps: int
    loss: float
    seconds: float
    """Wall time of the step."""
    first_iou: float
    last_iou: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Hooks:
    """Callables from above: training neither prints nor evaluates by itself."""

    progress: Callable[[Progress], None] | None = None
    """Called after each step."""
    validate: Callable[[Sam], dict[str, float]] | None = None
    """Scores of the current (averaged) model; the entry "score" decides which is best."""
    should_stop: Callable[[], bool] | None = None
    """Asked after each step; true ends the run cleanly after a checkpoint (a SIGTERM handler sets it)."""
    log: Callable[[int, dict[str, float]], None] | None = None
    """Gets every line of metrics.jsonl too, for TensorBoard."""


class Trainer:
    """One run: the model, its optimiser and where they are."""

    def __init__(
        self,
        config: TrainConfig,
        records: Records,
        run: RunFolder,
        initial: Sam | None = None,
        group: Group | None = None,
    ) -> None:
        """Start or go on: the newest checkpoint of `run` wins over `initial`, which wins over random weights.

        In a `group` every process calls with the same arguments; the first one writes.
        """
        torch.manual_seed(config.seed)
        self.config, self.run, self.group = config, run, group or Group()
        self.model = initial if initial is not None else Sam(config.model)
        self.model.train()
        if config.learn == "iou":
            freeze_all_but_iou(self.model)
        self.optimizer = make_optimizer(self.model, config.optimizer)
        decay = config.optimizer.ema_decay
        self.average = MovingAverage(self.model, decay) if decay else None
        self.batches = Batches(records, config.data, pictures=config.pictures, seed=config.seed, group=self.group)
        self.step, self.best = 0, -1.0
        self.skipped = {"non_finite_steps": 0, "pictures_without_a_mask": 0}
        self._restore(load_latest(run.path / "checkpoints"))

    def _restore(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            return
        self.model.load_state_dict(checkpoint.model)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        if self.average is not None:
            self.average.values = dict(checkpoint.average)
        self.step, self.best, self.skipped = checkpoint.step, checkpoint.best, dict(checkpoint.skipped)
        if self.group.leads:
            self.run.forget_after(self.step)

    def train(self, hooks: Hooks | None = None) -> Sam:
        """Run to the end (or until told to stop) and return the model, averaged weights in place, in eval mode."""
        hooks = hooks or Hooks()
        try:
            while self.step < self.config.steps:
                started = time.perf_counter()
                outcomes, batch, loss = self._step()
                self.step += 1
                values = self._describe(outcomes, loss, time.perf_counter() - started)
                done = self.step == self.config.steps
                if self.group.leads:
                    self._report(hooks, values)
                    self._look(hooks, batch, outcomes, done=done)
                stopping = self.group.any(hooks.should_stop is not None and hooks.should_stop())
                if done or stopping or self.step % self.config.checkpoint_every == 0:
                    self.save()
                if stopping:
                    break
        finally:
            self.batches.close()
        if self.average is not None:
            self.average.swap(self.model)
        return self.model.eval()

    def _step(self) -> tuple[list[Outcome], Batch, float]:
        """One optimiser step, or a skipped one when the loss is not finite or no picture had a mask."""
        config, step = self.config, self.step
        phase = config.phase_at(step)
        batch = self.batches.get(step, phase.size, phase.masks, self._following())
        self.skipped["pictures_without_a_mask"] += sum(self.group.gather(len(batch.skipped)))
        # Randomness is a function of seed and step: a resumed run needs no generator state.
        torch.manual_seed(config.seed * 1_000_003 + step)
        set_rate(self.optimizer, config.optimizer.lr * rate_at(step, config.steps, config.optimizer))
        self.optimizer.zero_grad(set_to_none=True)
        outcomes, finite = self._accumulate(batch, phase) if batch.samples else ([], True)
        if self.group.any(not finite):
            self.skipped["non_finite_steps"] += 1
            return outcomes, batch, float("nan")
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        samples = self.group.sum_gradients(parameters, len(batch.samples))
        if samples == 0:
            return [], batch, float("nan")
        if not self._clip(parameters, samples):
            self.skipped["non_finite_steps"] += 1
            return outcomes, batch, float("nan")
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.model, step)
        losses = [loss for found in self.group.gather([float(outcome.loss) for outcome in outcomes]) for loss in found]
        return outcomes, batch, float(np.mean(losses))

    def _following(self) -> tuple[int, int, int] | None:
        if self.step + 1 >= self.config.steps:
            return None
        phase = self.config.phase_at(self.step + 1)
        return self.step + 1, phase.size, phase.masks

    def _autocast(self) -> AbstractContextManager[object]:
        if self.config.precision == "float32":
            return nullcontext()
        return torch.autocast(self.model.device.type, torch.bfloat16)

    def _accumulate(self, batch: Batch, phase: Phase) -> tuple[list[Outcome], bool]:
        """Gradients of a whole batch: one encoder pass for all pictures, the decoder's backward picture by picture."""
        rounds = self.config.rounds if phase.clicks is None else replace(self.config.rounds, clicks=phase.clicks)
        outcomes: list[Outcome] = []
        with self._autocast():
            embedding = self.model.embed(self._images(batch))
            # Cut here, so that the memory of one picture's rounds is freed before the next picture's begin.
            leaves = embedding.map(lambda tensor: tensor.detach().requires_grad_(tensor.requires_grad))
        for index, sample in enumerate(batch.samples):
            rng = np.random.default_rng((self.config.seed, 2, self.step, batch.places[index]))
            with self._autocast():
                prepared = self.model.prepare(leaves[index])
                outcome = simulate(
                    self.model, prepared, sample.masks, rounds, (self.config.losses, phase.mask_loss), rng
                )
            if not is_finite(outcome.loss):
                return [*outcomes, outcome], False
            torch.autograd.backward(outcome.loss)
            outcomes.append(replace(outcome, loss=outcome.loss.detach()))
        maps = [
            (tensor, leaf.grad)
            for tensor, leaf in zip((embedding.main, *embedding.finer), (leaves.main, *leaves.finer), strict=True)
            if leaf.grad is not None
        ]
        if maps:
            torch.autograd.backward([tensor for tensor, _ in maps], [grad for _, grad in maps])
        return outcomes, True

    def _images(self, batch: Batch) -> Tensor:
        """(B, 3, S, S) normalised; padding is zero after normalisation, as in `Sam.preprocess`."""
        pixels = torch.from_numpy(np.stack([sample.pixels for sample in batch.samples])).permute(0, 3, 1, 2)
        images = self.model.normalise(pixels)
        for image, sample in zip(images, batch.samples, strict=True):
            image[:, sample.content_hw[0] :] = 0
            image[:, :, sample.content_hw[1] :] = 0
        return images

    def _clip(self, parameters: list[nn.Parameter], samples: int) -> bool:
        """The mean gradient of the samples, clipped when configured; false when its norm is not finite."""
        limit = self.config.optimizer.clip_norm or float("inf")
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad /= samples
        norm: Tensor = torch.nn.utils.clip_grad_norm_(parameters, limit)
        return bool(torch.isfinite(norm))

    def _describe(self, outcomes: list[Outcome], loss: float, seconds: float) -> dict[str, float]:
        values = {"loss": loss, "seconds": round(seconds, 4), "lr": self.optimizer.param_groups[0]["lr"]}
        own = [(outcome.first_iou, outcome.last_iou, outcome.is_box) for outcome in outcomes]
        found = [columns for share in self.group.gather(own) for columns in share]
        if found:
            first, last, box = (np.concatenate(column) for column in zip(*found, strict=True))
            values |= {"masks": float(len(first)), "last_iou": float(last.mean())}
            for name, chosen in (("point_iou", ~box), ("box_iou", box)):
                if chosen.any():
                    values[name] = float(first[chosen].mean())
        return values

    def _report(self, hooks: Hooks, values: dict[str, float]) -> None:
        self.run.log(self.step, **values)
        if hooks.log is not None:
            hooks.log(self.step, values)
        if hooks.progress is not None:
            first = (
                np.nanmean([values.get("point_iou", np.nan), values.get("box_iou", np.nan)]) if "masks" in values else 0
            )
            done = Progress(
                self.step,
                self.config.steps,
                values["loss"],
                values["seconds"],
                float(first),
                values.get("last_iou", 0.0),
            )
            hooks.progress(done)

    def _look(self, hooks: Hooks, batch: Batch, outcomes: list[Outcome], *, done: bool) -> None:
        """Contact sheet and validation, when due."""
        every = self.config.sheet_every
        if every and (self.step % every == 0 or done) and len(outcomes) == len(batch.samples) > 0:
            draw_sheet(self.run.path / "sheets" / f"step_{self.step:06d}.jpg", batch, outcomes)
        every = self.config.validate_every
        if hooks.validate is None or not every or not (self.step % every == 0 or done):
            return
        with self._averaged():
            scores = hooks.validate(self.model.eval())
            self.run.log(self.step, **{f"val_{name}": value for name, value in scores.items()})
            if hooks.log is not None:
                hooks.log(self.step, {f"val_{name}": value for name, value in scores.items()})
            if scores["score"] > self.best:
                self.best = scores["score"]
                save_weights(self.model, self.run.path / "best.safetensors", {"step": str(self.step)})
        self.model.train()

    def _averaged(self) -> AbstractContextManager[object]:
        return nullcontext() if self.average is None else _Swapped(self.average, self.model)

    def save(self) -> None:
        """Write a checkpoint to resume from and last.safetensors to use."""
        if not self.group.leads:
            return
        save_checkpoint(
            self.run.path / "checkpoints",
            Checkpoint(
                step=self.step,
                model=self.model.state_dict(),
                optimizer=self.optimizer.state_dict(),
                average={} if self.average is None else self.average.values,
                best=self.best,
                skipped=self.skipped,
            ),
        )
        with self._averaged():
            save_weights(self.model, self.run.path / "last.safetensors", {"step": str(self.step)})


class _Swapped:
    """The averaged weights in the model for the length of a `with`."""

    def __init__(self, average: MovingAverage, model: Sam) -> None:
        self.average, self.model = average, model

    def __enter__(self) -> None:
        self.average.swap(self.model)

    def __exit__(self, *exc: object) -> None:
        self.average.swap(self.model)
