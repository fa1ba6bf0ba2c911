# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Makes ``policy_cases.py`` findable."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # last, so that this conftest.py hides no other
