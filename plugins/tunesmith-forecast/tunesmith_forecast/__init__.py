# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Forecasts of time series: the task ``forecasting``, the reader ``series``, and two linear models."""

__version__ = "0.1.0"

__all__: list[str] = []
