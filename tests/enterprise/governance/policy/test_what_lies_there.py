# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a policy says of models and rows at a path: links, what is under them, digests, and what is sealed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from policy_cases import ALL, a_run, opened, refused, trained, why

from tunesmith import settings
from tunesmith.models import find_model_by_name
from tunesmith.models.check import weights_digest
from tunesmith.plugin import Action
from tunesmith.registry import get_registry
from tunesmith_enterprise.governance.sealing.errors import SealedFileError, SealKeyError
from tunesmith_enterprise.governance.sealing.folders import seal_folder, seal_one
from tunesmith_enterprise.governance.sealing.keys import create_key_file
from tunesmith_enterprise.governance.sealing.ring import key_ring


def test_a_path_is_judged_where_it_really_is(tmp_path: Path) -> None:
    secret, shop = tmp_path / "secret", tmp_path / "shop"
    secret.mkdir()
    shop.mkdir()
    (shop / "link").symlink_to(secret)
    tables = {**ALL, "models": {"allow": [f"{shop}/*"]}}
    assert refused(opened(shop / "link"), **tables) == ["models.allow"]
    assert f"it is {secret}" in why(opened(shop / "link"), "models.allow", **tables)
    assert refused(opened(f"{shop}/../secret"), **tables) == ["models.allow"]
    tables = {**ALL, "models": {"allow": [f"{tmp_path}/door/*"]}}
    (tmp_path / "door").symlink_to(shop)  # a list may name a folder by a link
    (shop / "base").mkdir()
    assert refused(opened(shop / "base"), **tables) == []


def test_a_run_stands_for_the_model_under_it(tmp_path: Path) -> None:
    first = a_run(tmp_path / "runs/1", "acme/base")
    second = a_run(tmp_path / "runs/2", str(first))
    for run in (first, second, second / "model"):
        run.mkdir(exist_ok=True)
        assert refused(opened(run), **{**ALL, "models": {"allow": ["acme/*"]}}) == []
        assert refused(opened(run), **{**ALL, "models": {"allow": ["other/*"]}}) == ["models.allow"]
        denied = {**ALL, "models": {"allow": [f"{tmp_path}/*"], "deny": ["acme/*"]}}
        assert refused(opened(run), **denied) == ["models.deny"]
        assert "what acme/base under it is called" in why(opened(run), "models.deny", **denied)


def test_an_adapter_and_a_run_upon_itself_come_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_config.json").write_text('{"base_model_name_or_path": "acme/base"}')
    assert refused(opened(tmp_path / "adapter"), **{**ALL, "models": {"allow": ["acme/*"]}}) == []
    circle = a_run(tmp_path / "circle", str(tmp_path / "circle"))
    assert refused(opened(circle), **{**ALL, "models": {"allow": ["acme/*"]}}) == ["models.allow"]


@pytest.mark.parametrize("as_a_run", [True, False])
def test_sealed_weights_are_named_by_the_digest_of_what_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_a_run: bool
) -> None:
    monkeypatch.setattr(settings, "_SYSTEM", tmp_path / "etc")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    run = a_run(tmp_path / "run", "scratch:bert") if as_a_run else tmp_path / "run"
    tiny = find_model_by_name("tunesmith/tiny", get_registry())
    shutil.copytree(str(tiny.folder), run / "model" if as_a_run else run, dirs_exist_ok=True)
    digest = tiny.digest
    create_key_file(tmp_path / "seal.key")
    seal_folder(run, key_ring([str(tmp_path / "seal.key")]), keep=("run.json",))
    policy = {**ALL, "models": {"allow": ["*"], "deny": [digest]}}
    with pytest.raises(SealKeyError, match="is not at hand"):  # which the gate takes for a no
        refused(opened(f"enterprise/sealed:{run}"), **policy)
    named = tmp_path / "config" / "tunesmith" / "tunesmith.toml"
    named.parent.mkdir(parents=True)
    named.write_text(f'[plugins.enterprise]\nseal_keys = "{tmp_path / "seal.key"}"\n')
    assert refused(opened(f"enterprise/sealed:{run}"), **policy) == ["models.deny"]
    assert refused(opened(f"enterprise/sealed:{run}"), **{**ALL, "models": {"allow": [digest]}}) == []
    assert refused(opened(f"enterprise/sealed:{run}"), **{**ALL, "models": {"allow": ["sha256:00*"]}}) == [
        "models.allow"
    ]


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A key file that the settings name."""
    monkeypatch.setattr(settings, "_SYSTEM", tmp_path / "etc")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    create_key_file(tmp_path / "seal.key")
    named = tmp_path / "config" / "tunesmith" / "tunesmith.toml"
    named.parent.mkdir(parents=True)
    named.write_text(f'[plugins.enterprise]\nseal_keys = "{tmp_path / "seal.key"}"\n')
    return str(tmp_path / "seal.key")


def a_sealed_run(folder: Path, key: str) -> str:
    """Gives the digest of the weights that are in it."""
    tiny = find_model_by_name("tunesmith/tiny", get_registry())
    shutil.copytree(str(tiny.folder), a_run(folder, "acme/base") / "model")
    seal_folder(folder, key_ring([key]), keep=("run.json",))
    return str(tiny.digest)


def unsealed(path: Path) -> Action:
    return Action(name="unseal-copy", subject=str(path), details={"keys": [], "output": "opened"})


def test_what_is_put_beside_sealed_weights_gives_them_no_other_digest(tmp_path: Path, key: str) -> None:
    digest = a_sealed_run(tmp_path / "run", key)
    policy = {**ALL, "models": {"allow": ["*"], "deny": [digest]}}
    for decoy in ("model-00001-of-00002.safetensors", "other.safetensors"):
        (tmp_path / "run" / "model" / decoy).write_bytes(b"decoy")
        seal_one(tmp_path / "run" / "model" / decoy, key_ring([key]))
        assert refused(opened(f"enterprise/sealed:{tmp_path / 'run'}"), **policy) == ["models.deny"]
    for decoy in ("model.safetensors", "adapter_config.json"):
        (tmp_path / "run" / "model" / decoy).write_bytes(b"{}")
        with pytest.raises(SealedFileError) as caught:  # which the gate takes for a no
            refused(opened(f"enterprise/sealed:{tmp_path / 'run'}"), **policy)
        assert f"{decoy} is not sealed, and weights beside it are" in str(caught.value)
        assert "all of its files sealed, or none" in str(caught.value)
        assert "seal the rest: tunesmith seal folder" in str(caught.value)
        (tmp_path / "run" / "model" / decoy).unlink()


def test_sealed_weights_in_several_files_are_those_that_their_index_names(tmp_path: Path, key: str) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("a.safetensors", "b.safetensors"):
        (model / name).write_bytes(name.encode())
    (model / "model.safetensors.index.json").write_text(
        '{"weight_map": {"x": "b.safetensors", "y": "a.safetensors", "z": "a.safetensors"}}'
    )
    digest = weights_digest([model / "a.safetensors", model / "b.safetensors"])
    seal_folder(model, key_ring([key]))
    assert refused(opened(f"enterprise/sealed:{model}"), **{**ALL, "models": {"allow": [digest]}}) == []


def test_a_sealed_adapter_stands_for_the_model_under_it(tmp_path: Path, key: str) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_config.json").write_text('{"base_model_name_or_path": "acme/base"}')
    (tmp_path / "adapter/adapter_model.safetensors").write_bytes(b"weights")
    digest = weights_digest([tmp_path / "adapter/adapter_model.safetensors"])
    seal_folder(tmp_path / "adapter", key_ring([key]))
    for name in ("acme/*", digest):
        policy = {**ALL, "models": {"allow": ["*"], "deny": [name]}}
        assert refused(opened(f"enterprise/sealed:{tmp_path / 'adapter'}"), **policy) == ["models.deny"]


def test_what_may_not_be_opened_is_not_unsealed_either(tmp_path: Path, key: str) -> None:
    run = tmp_path / "run"
    digest = a_sealed_run(run, key)
    weights = run / "model" / "model.safetensors.sealed"
    moved = tmp_path / "rows.jsonl.sealed"
    shutil.copy(weights, moved)
    for name in ("acme/*", f"{run}*", digest):
        policy = {**ALL, "models": {"allow": ["*"], "deny": [name]}}
        for place in (run, run / "model", weights, *([moved] if name == digest else [])):
            assert set(refused(unsealed(place), **policy)) == {"models.deny"}, (name, place)
    assert refused(unsealed(run), **{**ALL, "models": {"allow": ["acme/*"]}}) == []
    moved.unlink()
    (tmp_path / "rows.jsonl").write_text("{}")
    seal_one(tmp_path / "rows.jsonl", key_ring([key]))
    assert refused(unsealed(tmp_path / "rows.jsonl.sealed"), **{**ALL, "models": {"allow": []}}) == []  # no model


def test_what_is_unsealed_lies_in_the_folders_of_exports(tmp_path: Path) -> None:
    for place, rules in ((tmp_path / "exports" / "a", []), (tmp_path / "home" / "a", ["exports.folders"])):
        action = Action(name="unseal-copy", subject="runs/1", details={"keys": [], "output": str(place)})
        assert refused(action, **{**ALL, "exports": {"allow": ["*"], "folders": [str(tmp_path / "exports")]}}) == rules
        assert refused(action, **ALL) == []


def test_weights_can_be_named_by_their_digest(tmp_path: Path) -> None:
    tiny = find_model_by_name("tunesmith/tiny", get_registry())
    assert tiny.folder is not None
    assert refused(opened(tiny.folder), **{**ALL, "models": {"allow": [str(tiny.digest)]}}) == []
    assert refused(opened(tiny.folder), **{**ALL, "models": {"allow": ["sha256:00*"]}}) == ["models.allow"]
    assert refused(opened(tiny.folder), **{**ALL, "models": {"allow": ["*/*"], "deny": [str(tiny.digest)]}}) == [
        "models.deny"
    ]


def test_what_a_plugin_or_an_engine_opens_is_judged_by_what_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path / "runs/1", "acme/base")
    base = {**ALL, "models": {"allow": ["*"], "deny": ["acme/*"]}}
    assert refused(opened(f"enterprise/sealed:{run}"), **base) == ["models.deny"]
    monkeypatch.chdir(tmp_path)
    secret = {**ALL, "models": {"allow": ["*"], "deny": [f"{tmp_path}/runs/*", "openai:https://elsewhere/*"]}}
    assert refused(opened("openai:runs/1", engine="openai"), **secret) == ["models.deny"]
    full = opened("tunesmith/openai:https://elsewhere/v1", engine="tunesmith/openai")
    assert refused(full, **secret) == ["models.deny"]


def test_a_link_in_a_model_is_refused_as_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    run = a_run(tmp_path / "runs/1", "acme/base")
    (run / "model").symlink_to(tmp_path / "secret")
    closed = {**ALL, "models": {"allow": ["*", f"{tmp_path}/*"], "deny": [f"{tmp_path}/secret*"]}}
    assert refused(opened(run), **closed) == ["models.deny"]
    assert refused(opened(a_run(tmp_path / "runs/2", "acme/base")), **closed) == []


def test_a_file_by_the_name_of_something_else_does_not_stand_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/elsewhere")
    for decoy in ("hub:acme/rows", "~/model", "adapter/base", "base"):
        (tmp_path / decoy).mkdir(parents=True)
    here = [f"{tmp_path}/*"]
    rows = trained(data={"train": ["hub:acme/rows"]})
    assert refused(rows, **{**ALL, "data": {"allow": here}}) == ["data.allow"]
    exported = Action(name="export", subject="tunesmith/tiny", details={"to": "merged", "output": "~/model"})
    assert refused(exported, **{**ALL, "exports": {"allow": ["*"], "folders": [str(tmp_path)]}}) == ["exports.folders"]
    (tmp_path / "adapter/adapter_config.json").write_text('{"base_model_name_or_path": "base"}')
    assert refused(opened("adapter"), **{**ALL, "models": {"allow": [f"{tmp_path}/base"]}}) == ["models.allow"]
