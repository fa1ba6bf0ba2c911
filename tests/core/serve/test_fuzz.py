# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Requests made from the OpenAPI, right and wrong: each has an answer that the OpenAPI describes, and none is a 500."""

import json

import pytest
from conftest import settled
from echo import Echo
from hypothesis import HealthCheck, Phase, settings
from starlette.testclient import TestClient

from tunesmith.serve import Application, Keys

schemathesis = pytest.importorskip("schemathesis", reason="needs the extra test")

KEY = "fuzz-key-0123456789"
# Hypothesis tries words of all loaded tests too: of `/fail 1` the engine would really fail.
engine = Echo(slots=64, queue=64, commands=False)
app = Application({"echo": engine}, keys=Keys.read(None, {"TUNESMITH_SERVE_ADMIN_KEY": KEY}))
HEADERS = {"Authorization": f"Bearer {KEY}", "Host": "localhost"}
schema = schemathesis.openapi.from_dict(json.loads(json.dumps(app.api.openapi())))


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_nothing_that_can_be_sent_is_a_failure_of_ours(case):
    if isinstance(case.body, dict) and "model" in case.body and len(str(case.body)) % 2:
        case.body["model"] = "echo"  # else hardly any would get past the name
    kwargs = {"json": case.body} if isinstance(case.body, (dict, list, str, int, float, bool)) else {}
    client = TestClient(app, base_url="http://localhost")
    try:
        response = client.request(case.method, case.formatted_path, headers=HEADERS, params=case.query or {}, **kwargs)
    except UnicodeEncodeError:
        return  # the client itself refuses to send half a surrogate pair
    assert response.status_code < 500 or response.status_code in (503, 504), response.text
    described = schema[case.path][case.method].definition.raw["responses"]
    assert str(response.status_code) in described, (response.status_code, response.text)
    if response.status_code >= 400:
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("command", ["/fail 1", "/count x", "/hold 2", "/busy"])
def test_words_that_other_tests_command_the_engine_with_are_words_here(command):
    client = TestClient(app, base_url="http://localhost")
    response = client.post("/v1/completions", headers=HEADERS, json={"model": "echo", "prompt": command})
    assert response.status_code == 200, response.text


def test_the_engine_is_left_idle():
    assert settled(engine).slots_used == 0
