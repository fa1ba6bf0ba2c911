# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""GGUF files, answered by llama.cpp behind Tunesmith's ``Engine`` protocol: ``llama-cpp:PATH``."""

__version__ = "0.1.0"

__all__: list[str] = []
