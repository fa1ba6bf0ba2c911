# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The surface of the room, pinned; and that serving needs no torch, and importing the room nothing at all."""

import subprocess
import sys

import pytest

import tunesmith.serve
from tunesmith.errors import NotFoundError


def test_the_public_names():
    assert tunesmith.serve.__all__ == [
        "Access",
        "AccessError",
        "AdapterSource",
        "Application",
        "Asked",
        "Caller",
        "Keys",
        "Limits",
        "RequestServed",
        "check_installed",
        "serve",
    ]


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import tunesmith.serve", {"fastapi", "uvicorn", "prometheus_client", "pydantic", "torch"}),
        ("import tunesmith.serve as s; [getattr(s, name) for name in s.__all__]", {"torch", "transformers", "peft"}),
    ],
)
def test_what_importing_it_costs(code, unwanted):
    code = f"import sys; {code}; loaded = {unwanted!r} & set(sys.modules); assert not loaded, loaded"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_extra_is_named(monkeypatch):
    tunesmith.serve.check_installed()
    monkeypatch.setattr("tunesmith.serve.find_spec", lambda name: None if name == "uvicorn" else name)
    with pytest.raises(NotFoundError, match=r"missing: uvicorn[\s\S]*pip install 'tunesmith\[serve\]'"):
        tunesmith.serve.check_installed()
