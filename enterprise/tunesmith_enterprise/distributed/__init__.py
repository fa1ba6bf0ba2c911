# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Training on several processes (feature ``distributed``): ``tunesmith launch``, and the strategy ``ddp``.

Every process of a job holds the whole model, computes a part of each step's batch, and takes the same step.

- The *main* process, rank 0, is an ordinary ``tunesmith train`` with another strategy: it alone asks for the license,
  writes the run, evaluates and reports. The loop of the core does not know that there are others.
- The others *follow* (``following.py``): they prepare the same work, and take a step whenever the main process begins
  one (``group.py``). They know of a checkpoint when a job is resumed, and of nothing else in the run.
"""
