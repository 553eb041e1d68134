"""A process of its own that trains a tiny network, to be killed: arguments are the folder of images and the run's folder."""

from __future__ import annotations

import sys
from pathlib import Path

from study.training.small_cohort import TINY, quick, small_cohort

from OsteoScreenLib.study.training.options import TrainOptions
from OsteoScreenLib.study.training.train import train

STEPS_AN_EPOCH = 12
PATIENTS = 24


def options() -> TrainOptions:
    """LoRA with dropout and balanced sampling, so that everything random takes part; a checkpoint after every step."""
    return quick(tuning="lora", lora_dropout=0.2, imbalance="sampling", epochs=3, batch=2, checkpoint_steps=1)


if __name__ == "__main__":
    rows, splits = small_cohort(Path(sys.argv[1]), PATIENTS)
    train(rows, splits, options(), Path(sys.argv[2]), entry=TINY)
