# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A site with a license server."""

import pytest
from lending import Site


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "site")
    site.pool()
    yield site
    site.close()
