# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Nodes that ask a license server, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from desk import NOW
from lending import DISTRIBUTED, Site

from tunesmith.licensing import Trust
from tunesmith_enterprise.entitlement.evidence import Evidence, Facts
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.leasing import Holding, LicenseServer, acquire
from tunesmith_enterprise.leasing.by_hand import client_of
from tunesmith_enterprise.leasing.keeping import Keeping
from tunesmith_enterprise.leasing.taking import Client


@dataclass
class Node:
    """A machine with a state folder of its own."""

    site: Site
    folder: Path
    server: LicenseServer
    name: str = "node-a"
    now: datetime = NOW
    held: list[Holding] = field(default_factory=list)

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder)

    @property
    def environ(self) -> dict[str, str]:
        return {"TUNESMITH_NODE_ID": self.name}

    @property
    def evidence(self) -> Evidence:
        build = self.site.desk.build()
        assert isinstance(build.trust, Trust)
        return Evidence(build=build, facts=Facts(now=self.now, built_at=build.built_at), trust=build.trust)

    @property
    def keeping(self) -> Keeping:
        return Keeping(self.state)

    @property
    def client(self) -> Client:
        return client_of(self.server, self.evidence, self.state, self.environ)

    def acquire(self, features=DISTRIBUTED) -> Holding:
        holding = acquire(self.server, features, self.evidence, state=self.state, environ=self.environ)
        self.held.append(holding)
        return holding
