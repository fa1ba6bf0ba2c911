# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""vLLM behind Tunesmith's ``Engine`` protocol, as a process with an environment of its own: ``vllm:MODEL``."""

__version__ = "0.1.0"

__all__: list[str] = []
