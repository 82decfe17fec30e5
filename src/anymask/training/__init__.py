"""Dataset -> model: simulated people prompt for true masks, and the model learns from what it got wrong.

Takes: records of a dataset and a complete configuration.
Gives: a run folder with metrics, contact sheets, checkpoints and weights.
Next: `evaluation/` says how good the weights are; `recipes/` holds the configurations.
"""

from anymask.training.batches import DataConfig, Records
from anymask.training.interactive import RoundsConfig
from anymask.training.loop import Hooks, Progress
from anymask.training.losses import LossConfig
from anymask.training.promptable import Phase, TrainConfig, Trainer
from anymask.training.schedule import OptimizerConfig

__all__ = [
    "DataConfig",
    "Hooks",
    "LossConfig",
    "OptimizerConfig",
    "Phase",
    "Progress",
    "Records",
    "RoundsConfig",
    "TrainConfig",
    "Trainer",
]
