# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith cache`: list and clear."""

import json

from tunesmith.data.cache import making_entry, publish
from tunesmith_cli.main import main


def test_listed_and_cleared(tmp_path, monkeypatch, capsys):
    assert main(["cache", "list"]) == 0
    assert "the cache is off (TUNESMITH_CACHE)" in capsys.readouterr().err
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path))
    assert main(["cache", "list"]) == 0
    assert f"nothing in {tmp_path}" in capsys.readouterr().err.replace("\n", "")
    with making_entry("items", "ab" * 32) as folder:
        (folder / "part").write_text("x" * 1000)
        publish(folder, {})
    assert main(["cache", "list", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["kind"] == "items"
    assert entry["whole"]
    assert main(["cache"]) == 2
    capsys.readouterr()
    assert main(["cache", "list"]) == 0
    assert "encoded rows" in capsys.readouterr().out
    assert main(["cache", "clear", "--older-than", "1"]) == 0
    assert "deleted 0 entries" in capsys.readouterr().err
    assert main(["cache", "clear"]) == 0
    assert "deleted 1 entry, 1." in capsys.readouterr().err
    assert main(["cache", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
