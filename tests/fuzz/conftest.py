# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Makes the files of this folder findable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
