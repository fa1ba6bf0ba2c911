# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Runs in TensorBoard: every run folder gets an event file, found by ``tensorboard --logdir runs``."""

__version__ = "0.1.0"

__all__: list[str] = []
