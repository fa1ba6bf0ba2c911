# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Training whose linear layers multiply numbers of eight bits (``float8-training``), by torchao."""
