# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A site with a license server that answers, and nodes."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lending import Site, serving
from nodes import Node

from tunesmith_enterprise.leasing import LicenseServer, asking


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "site")
    site.pool()
    yield site
    site.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Nobody waits between two tries."""
    monkeypatch.setattr(asking.time, "sleep", lambda seconds: None)


@pytest.fixture
def address(site):
    with serving(site.service) as address:
        yield address


@pytest.fixture
def make_node(site, tmp_path):
    made = []

    def make(name="node-a", address="http://127.0.0.1:9", **server):
        node = Node(site, tmp_path / f"state-{name}", LicenseServer(address, **server), name)
        made.append(node)
        return node

    yield make
    for node in made:
        for holding in node.held:
            holding.release()


@pytest.fixture
def node(make_node, address):
    """A node of a server that answers."""
    return make_node(address=address)


@pytest.fixture
def away(make_node):
    """A node of a server that is not there."""
    return make_node()
