# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What can be learned. A task turns rows into tensors, tensors into a loss, and outputs into answers and scores."""

from tunesmith.tasks.base import Batch, Encoded, Metric, Task
from tunesmith.tasks.objectives import Objective
from tunesmith.tasks.rendering import open_task, save_task
from tunesmith.tasks.sections import Matrix, Section, Table, Text
from tunesmith.tasks.transforms import Transform

__all__ = [
    "Batch",
    "Encoded",
    "Matrix",
    "Metric",
    "Objective",
    "Section",
    "Table",
    "Task",
    "Text",
    "Transform",
    "open_task",
    "save_task",
]
