# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Who may ask a server: API keys and tokens of single sign-on, each with a role, a tenant and what they may use.

It comes in as the access ``enterprise/access`` of ``tunesmith serve``; see :mod:`.serving`.
"""
