# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`python -m tunesmith_cli` is `tunesmith`."""

import sys

from tunesmith_cli.main import main

sys.exit(main())
