# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Makes ``access_site.py`` findable, and its fixtures known."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("jwt", reason="needs the extra oidc")
pytest.importorskip("httpx2", reason="needs the extra test")

sys.path.append(str(Path(__file__).parent))  # last, so that this conftest.py hides no other
from access_site import issuer, listening, site  # noqa: F401 -- the line above makes it findable
