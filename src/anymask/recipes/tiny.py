"""The embedded model's recipe."""

from __future__ import annotations

from dataclasses import replace

from anymask.images.augment import ViewConfig
from anymask.model.sam import tiny_config
from anymask.prompts.simulate import ClickConfig
from anymask.training.batches import DataConfig
from anymask.training.interactive import RoundsConfig
from anymask.training.losses import LossConfig
from anymask.training.promptable import Phase, TrainConfig
from anymask.training.schedule import OptimizerConfig


def tiny(steps: int = 4800) -> TrainConfig:
    """The model inside the package, from an ImageNet backbone, on two CPU cores.

    Command: anymask train --recipe tiny --data 'train-*.tar' --out runs/tiny
    """
    return TrainConfig(
        model=tiny_config(quality_hidden=0),  # `tiny_iou` adds it
        steps=steps,
        pictures=4,
        phases=(
            # Class-balanced first: focal and dice alone sit on the all-background plateau for hundreds of steps.
            Phase(until=0.10, size=256, masks=8, mask_loss="balanced", clicks=1),
            Phase(until=0.40, size=256, masks=8, mask_loss="normalised", clicks=1),
            Phase(until=0.65, size=256, masks=8, mask_loss="normalised", clicks=2),
            Phase(until=0.90, size=384, masks=8, mask_loss="normalised", clicks=2),
            Phase(until=1.0, size=512, masks=8, mask_loss="normalised", clicks=2),
        ),
        data=DataConfig(
            view=ViewConfig(
                whole_probability=0.35,
                crop_fraction=(0.3, 1.0),
                shrink_probability=0.2,
                shrink=(0.4, 1.0),
                flip_probability=0.5,
                colour=0.3,
                grey_probability=0.08,
                invert_probability=0.04,
            ),
            min_area_px=32,
            repeats=3,
        ),
        rounds=RoundsConfig(
            clicks=2,
            mask_only_rounds=0,
            prompts=ClickConfig(box_probability=0.4, centre_probability=0.4),
            box_output="both",
            point_output="both",
        ),
        losses=LossConfig(iou_weight=3.0),
        optimizer=OptimizerConfig(
            lr=1e-3,
            encoder_lr_factor=0.3,
            weight_decay=0.02,
            warmup_steps=100,
            kind="cosine",
            clip_norm=1.0,
            ema_decay=0.998,
        ),
        checkpoint_every=100,
        validate_every=500,
        sheet_every=200,
    )


def tiny_longer(steps: int = 3200) -> TrainConfig:
    """After `tiny`: the same with crowds (`anymask dataset crowds`), larger views, and the lowest stages as they are.

    Command: anymask train --recipe tiny_longer --from runs/tiny/model.safetensors --data 'train-*.tar'
    --data crowds.tar --out runs/tiny_longer
    """
    base = tiny(steps)
    return replace(
        base,
        learn="upper",
        phases=(
            Phase(until=0.50, size=256, masks=10, mask_loss="normalised", clicks=2),
            Phase(until=0.87, size=384, masks=10, mask_loss="normalised", clicks=2),
            Phase(until=1.0, size=512, masks=10, mask_loss="normalised", clicks=3),
        ),
        optimizer=replace(base.optimizer, lr=6e-4),
        seed=2,
    )


def tiny_large_views(steps: int = 1400) -> TrainConfig:
    """After `tiny_longer`: views as large as those at work, boxes more often, and three rounds.

    Command: anymask train --recipe tiny_large_views --from runs/tiny_longer/model.safetensors --data 'train-*.tar'
    --data crowds.tar --out runs/tiny_large_views
    """
    base = tiny_longer(steps)
    return replace(
        base,
        phases=(
            Phase(until=0.60, size=384, masks=10, mask_loss="normalised", clicks=2),
            Phase(until=1.0, size=512, masks=10, mask_loss="normalised", clicks=2),
        ),
        rounds=replace(base.rounds, prompts=replace(base.rounds.prompts, box_probability=0.5)),
        optimizer=replace(base.optimizer, lr=5e-4),
        seed=5,
    )


def tiny_deeper(steps: int = 1250) -> TrainConfig:
    """After `tiny_large_views`, on one GPU: a deeper encoder, larger steps, every view as large as those at work.

    Command: torchrun --nproc-per-node 3 -m anymask train --recipe tiny_deeper --from runs/tiny_iou/model.safetensors
    --data 'train-*.tar' --data crowds.tar --device cuda --out runs/tiny_deeper
    """
    base = tiny_large_views(steps)
    return replace(
        base,
        model=tiny_config(quality_hidden=0, context_depth=4, main_depth=3),
        learn="all",
        pictures=144,
        together=True,
        precision="bfloat16",
        phases=(Phase(until=1.0, size=512, masks=8, mask_loss="normalised", clicks=2),),
        data=replace(
            base.data,
            view=replace(base.data.view, crop_fraction=(0.2, 1.0), shrink=(0.3, 1.0), colour=0.4, grey_probability=0.1),
            workers=5,
            ahead=2,
        ),
        optimizer=replace(
            base.optimizer, lr=1e-3, encoder_lr_factor=0.5, weight_decay=0.05, warmup_steps=150, ema_decay=0.998
        ),
        checkpoint_every=100,
        sheet_every=500,
        seed=11,
    )


def tiny_wider(steps: int = 1060) -> TrainConfig:
    """After `tiny_deeper` and another `tiny_iou`, on one GPU: wide blocks, finer maps of their own, regions pasted or
    taken together, and boxes that fit more closely. 908 steps took 15 minutes on an H200; a box's IoU rose from .764 to
    .787.

    Command: torchrun --nproc-per-node 3 -m anymask train --recipe tiny_wider --from runs/tiny_iou/model.safetensors
    --data 'train-*.tar' --data crowds.tar --device cuda --out runs/tiny_wider
    """
    base = tiny_deeper(steps)
    return replace(
        base,
        model=tiny_config(quality_hidden=0, context_depth=4, main_depth=3, wide_depth=5, detail_depth=4),
        data=replace(
            base.data,
            paste_probability=0.2,
            group_probability=0.25,
            group_sets=(
                "animals7",
                "car_parts",
                "ccp",
                "coco_person1",
                "food_plates",
                "voc07_instances",
                "voc12aug_a",
                "voc12aug_b",
                "voc12aug_c",
            ),
        ),
        rounds=replace(base.rounds, prompts=replace(base.rounds.prompts, box_noise_share=0.05, box_noise_max_px=10.0)),
        seed=17,
    )


def tiny_loop_start(steps: int = 1600) -> TrainConfig:
    """A short `tiny` that has not seen the pictures on which the data engine's loop and the fine-tuning guide begin,
    nor those of the edge experiment.

    Command: anymask train --recipe tiny_loop_start --data 'train-*.tar' --out runs/tiny_loop_start
    """
    return replace(tiny(steps), exclude_sets=("car_parts", "facades", "bsds500"), seed=3)


def tiny_single_output(steps: int = 200) -> TrainConfig:
    """After `tiny`: a model of one mask for every prompt, the paper's ablation of ambiguity at this size.

    It begins with the single-mask token of the weights it starts from; what it gave is in docs/experiments.

    Command: anymask train --recipe tiny_single_output --data 'train-*.tar' --out runs/tiny_single_output
    """
    base = tiny_longer(steps)
    return replace(
        base,
        model=replace(base.model, mask_decoder=replace(base.model.mask_decoder, multimask_outputs=0)),
        phases=(Phase(until=1.0, size=384, masks=8, mask_loss="normalised", clicks=2),),
        optimizer=replace(base.optimizer, lr=3e-4, warmup_steps=20, ema_decay=0.98),
        seed=7,
    )


def tiny_iou(steps: int = 600) -> TrainConfig:
    """After `tiny`: the predicted IoU learns to look at the masks; all else stays as it is.

    Command: anymask train --recipe tiny_iou --from runs/tiny/model.safetensors --data 'train-*.tar' --out runs/tiny_iou
    """
    base = tiny(steps)
    return replace(
        base,
        learn="iou",
        phases=(Phase(until=0.7, size=384, masks=12, clicks=1), Phase(until=1.0, size=512, masks=12, clicks=1)),
        losses=LossConfig(iou_weight=1.0),
        optimizer=replace(base.optimizer, lr=2e-3, warmup_steps=20, ema_decay=0.99),
        seed=1,
    )
