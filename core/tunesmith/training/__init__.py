# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Recipe in, run out: the job, the loop, checkpoints and the strategy seam."""

from tunesmith.training.checkpoints import Checkpoints
from tunesmith.training.job import train
from tunesmith.training.replay import Replay, replay
from tunesmith.training.strategy import Single, Strategy
from tunesmith.training.telling import Observer
from tunesmith.training.tracker import Tracker
from tunesmith.training.verify import Verification, verify

__all__ = [
    "Checkpoints",
    "Observer",
    "Replay",
    "Single",
    "Strategy",
    "Tracker",
    "Verification",
    "replay",
    "train",
    "verify",
]
