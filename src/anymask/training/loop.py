"""The loop under every kind of training: step, look, save; killed anywhere, it goes on to the same bits.

What is learned from what is said by the kinds: `promptable.Trainer` (prompts to masks), `mae.Pretrainer` (an encoder
from pictures alone), `distill.Distiller` (a small encoder from a large one).
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np
import torch
from filelock import BaseFileLock
from torch import Tensor, nn

from anymask.errors import RunError
from anymask.runs import RunFolder
from anymask.training.checkpoint import Checkpoint, load_latest
from anymask.training.checkpoint import save as save_checkpoint
from anymask.training.group import Group
from anymask.training.schedule import MovingAverage, OptimizerConfig, make_optimizer, rate_at, set_rate


class LoopConfig(Protocol):
    """The fields that the configuration of every kind of training has."""

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        ...

    @property
    def first_step(self) -> int:
        """Steps taken before this run began, when it goes on from weights alone."""
        ...

    @property
    def seed(self) -> int:
        """Of everything random."""
        ...

    @property
    def optimizer(self) -> OptimizerConfig:
        """AdamW and its schedule."""
        ...

    @property
    def precision(self) -> Literal["float32", "bfloat16"]:
        """Arithmetic of the forward pass."""
        ...

    @property
    def checkpoint_every(self) -> int:
        """Steps between checkpoints."""
        ...

    @property
    def validate_every(self) -> int:
        """Steps between calls of the validation function; 0 for never."""
        ...

    @property
    def sheet_every(self) -> int:
        """Steps between contact sheets; 0 for none."""
        ...


ModelT = TypeVar("ModelT", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a progress bar needs after each step."""

    step: int
    steps: int
    seconds: float
    """Wall time of the step."""
    values: Mapping[str, float]
    """What metrics.jsonl gets: "loss", "lr" and what the kind of training measures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hooks(Generic[ModelT]):
    """Callables from above: training neither prints nor evaluates by itself."""

    progress: Callable[[Progress], None] | None = None
    """Called after each step."""
    validate: Callable[[ModelT], dict[str, float]] | None = None
    """Scores of the current (averaged) model; the entry "score" decides which is best."""
    should_stop: Callable[[], bool] | None = None
    """Asked after each step; true ends the run cleanly after a checkpoint (a SIGTERM handler sets it)."""
    log: Callable[[int, dict[str, float]], None] | None = None
    """Gets every line of metrics.jsonl too, for TensorBoard."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a process's share of one step left in the gradients."""

    losses: list[float]
    """One a sample; the gradients are of their sum."""
    is_finite: bool = True


class Loop(ABC, Generic[ModelT]):
    """One run: the model, its optimiser and where they are."""

    def __init__(self, config: LoopConfig, model: ModelT, run: RunFolder, group: Group | None = None) -> None:
        """Start or go on: the newest checkpoint of `run` wins over the weights of `model`.

        In a `group` every process calls with the same arguments; the first one writes.
        """
        self._config, self.model, self.run, self.group = config, model.train(), run, group or Group()
        self.optimizer = make_optimizer(model, config.optimizer)
        decay = config.optimizer.ema_decay
        self.average = MovingAverage(model, decay) if decay else None
        self.step, self.best = config.first_step, -1.0
        self.skipped = {"non_finite_steps": 0}
        self._held: BaseFileLock | None = None

    @abstractmethod
    def learn_from(self, step: int) -> Share:
        """Add the gradients of this process's share of `step` to the parameters."""

    @abstractmethod
    def describe(self) -> dict[str, float]:
        """Measurements of the last step over all processes; called by every process."""

    @abstractmethod
    def draw(self, path: Path) -> None:
        """Write a picture of what the last step saw and answered to `path`."""

    @abstractmethod
    def write(self, path: Path) -> None:
        """Write the weights as they are now to `path`, to be used."""

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self._config.steps

    @property
    def is_done(self) -> bool:
        """Whether every step was taken."""
        return self.step == self.steps

    def close(self) -> None:
        """Release the run, and what the kind of training holds."""
        if self._held is not None:
            self._held.release()

    def restore(self) -> None:
        """Go on from the run's newest checkpoint, if it has one; called at the end of a kind's own start.

        From here on to the end of `train` nobody else trains this run. The others of a group read only when the leader
        holds it: one that trained it before may still write its last checkpoint until then.

        Raises: RunError when another process trains it.
        """
        self._held = self.run.hold() if self.group.leads else None
        self.group.wait()
        checkpoint = load_latest(self.run.path / "checkpoints")
        if checkpoint is not None:
            self.model.load_state_dict(checkpoint.model)
            self.optimizer.load_state_dict(checkpoint.optimizer)
            if self.average is not None:
                device = _device(self.model)
                self.average.values = {name: value.to(device) for name, value in checkpoint.average.items()}
            self.step, self.best, self.skipped = checkpoint.step, checkpoint.best, dict(checkpoint.skipped)
        if self.group.leads:  # also without a checkpoint: a run killed before its first one has logged steps, too
            self.run.forget_after(self.step)

    def train(self, hooks: Hooks[ModelT] | None = None) -> ModelT:
        """Run to the end (or until told to stop) and return the model, averaged weights in place, in eval mode.

        Raises: RunError when the processes of a group began at different steps.
        """
        hooks = hooks or Hooks()
        try:
            if len(set(self.group.gather(self.step))) > 1:  # one of before wrote its last checkpoint in between
                raise RunError(f"the run in {self.run.path} was still being written; go on with it now")
            while self.step < self._config.steps:
                started = time.perf_counter()
                loss = self._step()
                self.step += 1
                seconds = round(time.perf_counter() - started, 4)
                values = {"loss": loss, "seconds": seconds, "lr": self.optimizer.param_groups[0]["lr"]}
                values |= self.describe()
                done = self.step == self._config.steps
                if self.group.leads:
                    self._report(hooks, values)
                    self._look(hooks, done=done)
                stopping = self.group.any(hooks.should_stop is not None and hooks.should_stop())
                if done or stopping or self.step % self._config.checkpoint_every == 0:
                    self.save()
                if stopping:
                    break
        finally:
            self.close()
        if self.average is not None:
            self.average.swap(self.model)
        return self.model.eval()

    def _step(self) -> float:
        """One optimiser step and its mean loss, or a skipped one when the loss is not finite or there is no sample."""
        config, step = self._config, self.step
        # Randomness is a function of seed and step: a resumed run needs no generator state.
        torch.manual_seed(config.seed * 1_000_003 + step)
        share_of_lr = rate_at(step, config.steps, config.optimizer, first=config.first_step)
        set_rate(self.optimizer, config.optimizer.lr * share_of_lr)
        self.optimizer.zero_grad(set_to_none=True)
        share = self.learn_from(step)
        if self.group.any(not share.is_finite):
            self.skipped["non_finite_steps"] += 1
            return float("nan")
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        samples = self.group.sum_gradients(parameters, len(share.losses))
        if samples == 0:
            return float("nan")
        if not self._clip(parameters, samples):
            self.skipped["non_finite_steps"] += 1
            return float("nan")
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.model, step)
        return float(np.mean([loss for losses in self.group.gather(share.losses) for loss in losses]))

    def _clip(self, parameters: list[nn.Parameter], samples: int) -> bool:
        """The mean gradient of the samples, clipped when configured; false when its norm is not finite."""
        limit = self._config.optimizer.clip_norm or float("inf")
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad /= samples
        norm: Tensor = torch.nn.utils.clip_grad_norm_(parameters, limit)
        return bool(torch.isfinite(norm))

    def autocast(self) -> AbstractContextManager[object]:
        """The precision asked for, around a forward pass."""
        if self._config.precision == "float32":
            return nullcontext()
        return torch.autocast(_device(self.model).type, torch.bfloat16)

    def _report(self, hooks: Hooks[ModelT], values: dict[str, float]) -> None:
        self.run.log(self.step, **values)
        if hooks.log is not None:
            hooks.log(self.step, values)
        if hooks.progress is not None:
            hooks.progress(Progress(self.step, self._config.steps, values["seconds"], values))

    def _look(self, hooks: Hooks[ModelT], *, done: bool) -> None:
        """Contact sheet and validation, when due."""
        every = self._config.sheet_every
        if every and (self.step % every == 0 or done):
            self.draw(self.run.path / "sheets" / f"step_{self.step:06d}.jpg")
        every = self._config.validate_every
        if hooks.validate is None or not every or not (self.step % every == 0 or done):
            return
        with self._averaged():
            scores = hooks.validate(self.model.eval())
            self.run.log(self.step, **{f"val_{name}": value for name, value in scores.items()})
            if hooks.log is not None:
                hooks.log(self.step, {f"val_{name}": value for name, value in scores.items()})
            if scores["score"] > self.best:
                self.best = scores["score"]
                self.write(self.run.path / "best.safetensors")
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
            self.write(self.run.path / "last.safetensors")


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


class _Swapped:
    """The averaged weights in the model for the length of a `with`."""

    def __init__(self, average: MovingAverage, model: nn.Module) -> None:
        self.average, self.model = average, model

    def __enter__(self) -> None:
        self.average.swap(self.model)

    def __exit__(self, *exc: object) -> None:
        self.average.swap(self.model)
