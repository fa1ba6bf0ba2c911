# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Keep the libraries underneath from writing to the terminal.

transformers reports a new classification head as a table on standard error, and draws progress bars. What of that
people must know is said by this package's own errors, notes and loggers.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_libraries"]

_LOGGERS = ("transformers", "peft", "huggingface_hub")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence transformers, peft and huggingface_hub inside the block; everything is as before afterwards.

    Log levels, warning filters and progress bars belong to the process: threads that load models at the same time share
    them.
    """
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging as transformers_logging

    transformers_logging.get_verbosity()  # installs transformers' handler and level now, so that they can be put back
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    bars, hub_bars = transformers_logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        transformers_logging.disable_progress_bar()
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
            if bars:
                transformers_logging.enable_progress_bar()
            (enable_progress_bars if hub_bars else disable_progress_bars)()
