# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``python -m tunesmith_vendor``."""

import sys

from tunesmith_vendor.main import main

sys.exit(main())
