# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""For tests, ours and those of plugin authors: conformance checks, plugins for a block, a hub, tiny models.

Importing this package loads neither torch nor transformers; names are resolved on first use (PEP 562). Nothing here
needs pytest, and everything works with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names

if TYPE_CHECKING:
    from tunesmith.testing.findings import ConformanceError, Finding, Report
    from tunesmith.testing.hub import FakeHub
    from tunesmith.testing.installed import plugin_installed
    from tunesmith.testing.models import tiny_bert, tiny_image_model, tiny_llama, tiny_t5
    from tunesmith.testing.offline import WentOnlineError, no_network
    from tunesmith.testing.plugin import check_dataset, check_plugin, plugin_checks
    from tunesmith.testing.recorder import HookCall, HookRecorder
    from tunesmith.testing.tasks import check_task

__all__ = [
    "ConformanceError",
    "FakeHub",
    "Finding",
    "HookCall",
    "HookRecorder",
    "Report",
    "WentOnlineError",
    "check_dataset",
    "check_plugin",
    "check_task",
    "no_network",
    "plugin_checks",
    "plugin_installed",
    "tiny_bert",
    "tiny_image_model",
    "tiny_llama",
    "tiny_t5",
]

if not TYPE_CHECKING:  # else every misspelt name would pass the type checker
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "ConformanceError": "tunesmith.testing.findings",
            "FakeHub": "tunesmith.testing.hub",
            "Finding": "tunesmith.testing.findings",
            "HookCall": "tunesmith.testing.recorder",
            "HookRecorder": "tunesmith.testing.recorder",
            "Report": "tunesmith.testing.findings",
            "WentOnlineError": "tunesmith.testing.offline",
            "check_dataset": "tunesmith.testing.plugin",
            "check_plugin": "tunesmith.testing.plugin",
            "check_task": "tunesmith.testing.tasks",
            "no_network": "tunesmith.testing.offline",
            "plugin_checks": "tunesmith.testing.plugin",
            "plugin_installed": "tunesmith.testing.installed",
            "tiny_bert": "tunesmith.testing.models",
            "tiny_image_model": "tunesmith.testing.models",
            "tiny_llama": "tunesmith.testing.models",
            "tiny_t5": "tunesmith.testing.models",
        },
    )
