# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which network interface processes talk by."""

from __future__ import annotations

import os
import sys

import pytest

from tunesmith.errors import TrainingError
from tunesmith_enterprise.distributed.interfaces import LOOPBACK, interface_towards, use_interface

NAMES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "")  # restored afterwards
        monkeypatch.delenv(name)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asked of Linux")
def test_the_interface_that_leads_to_an_address_is_found() -> None:
    assert interface_towards("127.0.0.1", 29400) == LOOPBACK


def test_nothing_is_found_where_a_name_leads_nowhere() -> None:
    assert interface_towards("no.such.host.invalid", 29400) is None


def test_both_libraries_are_told() -> None:
    use_interface(LOOPBACK)
    assert [os.environ[name] for name in NAMES] == [LOOPBACK, LOOPBACK]


def test_what_the_environment_says_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth7")
    use_interface(LOOPBACK)
    assert os.environ["GLOO_SOCKET_IFNAME"] == "eth7"


def test_an_interface_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(TrainingError) as caught:
        use_interface("ib9")
    text = " ".join(str(caught.value).split())
    assert "has no network interface ib9" in text
    assert LOOPBACK in text.split("expected:")[1]
    assert not set(NAMES) & set(os.environ)
