# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import hashlib
import hmac

import pytest

from tunesmith.errors import RequestError
from tunesmith.serve import Keys
from tunesmith.serve.keys import Caller

GOOD, BOSS = "k" * 16, "b" * 20


def test_keys_of_a_file_and_of_the_environment(tmp_path):
    file = tmp_path / "keys"
    digest = hashlib.sha256(b"hashed-long-enough").hexdigest()
    file.write_text(f"# ours\n\nuse {GOOD}\nadmin sha256:{digest}\n")
    keys = Keys.read(file, {"TUNESMITH_SERVE_KEY": "from-the-variable", "TUNESMITH_SERVE_ADMIN_KEY": BOSS})
    assert keys.find(GOOD) == Caller("line 3", "use")
    assert keys.find("hashed-long-enough") == Caller("line 4", "admin")
    assert keys.find("from-the-variable") == Caller("TUNESMITH_SERVE_KEY", "use")
    assert keys.find(BOSS) == Caller("TUNESMITH_SERVE_ADMIN_KEY", "admin")
    assert keys.find(f"sha256:{digest}") is None
    for wrong in ("", GOOD[:-1], GOOD + "k", GOOD.upper(), " " + GOOD, "\udcff"):
        assert keys.find(wrong) is None


def test_what_is_kept_and_shown_is_no_key(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"use {GOOD}\n")
    keys = Keys.read(file, {})
    assert repr(keys) == "Keys(line 1: use)"
    assert GOOD not in repr(vars(keys))
    assert GOOD.encode() not in repr(vars(keys)).encode()


def test_every_digest_is_compared_whole_whatever_the_key(monkeypatch):
    """The time an answer takes tells nothing: no early end, no comparison of the keys themselves."""
    seen = []
    compare = hmac.compare_digest

    def counted(first, second):
        seen.append((len(first), len(second)))
        return compare(first, second)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    keys = Keys.read(None, {"TUNESMITH_SERVE_KEY": GOOD, "TUNESMITH_SERVE_ADMIN_KEY": BOSS})
    for key in (GOOD, BOSS, "", "x" * 5000):
        seen.clear()
        keys.find(key)
        assert seen == [(32, 32), (32, 32)]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"{GOOD}\n", "a scope (use or admin)"),
        (f"root {GOOD}\n", "a scope (use or admin)"),
        ("use short-secret\nadmin tiny\n", "at least 16 characters"),
        ("use sha256:abc\n", "64 hexadecimal"),
        ("# nothing\n", "at least one line"),
    ],
)
def test_a_file_that_is_wrong_is_explained_without_showing_it(tmp_path, text, word):
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(RequestError) as caught:
        Keys.read(file, {})
    assert word in str(caught.value)
    assert "secrets.token_urlsafe(32)" in str(caught.value)
    for secret in (GOOD, "tiny", "short-secret"):
        assert secret not in str(caught.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(RequestError, match="the key file cannot be read: No such file"):
        Keys.read(tmp_path / "none", {})


def test_without_keys_there_are_none():
    assert not Keys.read(None, {})
    assert Keys().find(GOOD) is None
