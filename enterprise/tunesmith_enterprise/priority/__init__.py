# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""In which order a server computes what many people ask of it: classes of requests, tenants, quotas, deadlines."""
