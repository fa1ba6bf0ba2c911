# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The host side of plugins: discover, check, isolate, explain. Authors of plugins need :mod:`tunesmith.plugin` only."""

from tunesmith._plugins.authorize import authorize
from tunesmith._plugins.host import Host, get_host
from tunesmith._plugins.machine_code import telling_of_machine_code
from tunesmith._plugins.records import PluginRecord, Provided

__all__ = ["Host", "PluginRecord", "Provided", "authorize", "get_host", "telling_of_machine_code"]
