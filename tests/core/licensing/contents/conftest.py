# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Makes ``said.py`` findable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
