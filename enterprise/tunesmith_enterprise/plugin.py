# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The package's one door: the host imports this module and registers the hooks it implements.

Everything this package adds comes through here, with the hooks of `tunesmith.plugin` that any plugin has, and
nothing else: no patching of the core, no import of its private rooms. This release implements no hook; installed, it
shows as ``enterprise`` in ``tunesmith plugins list`` and changes nothing.
"""
