# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Names become checked sources; every way a name can be wrong says what to do."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from tunesmith.errors import ModelError, NotFoundError, OfflineError
from tunesmith.models import apply_method, find_model, find_model_by_name, load_weights
from tunesmith.models.find import BYTE_VOCABULARY, parse_size
from tunesmith.recipe.schema import MethodSection, ModelSection
from tunesmith.registry import Registry, get_registry
from tunesmith.testing import tiny_llama


@pytest.fixture(scope="module")
def registry() -> Registry:
    return get_registry()


@pytest.fixture(scope="module")
def shared_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder(shared_model: Path, registry: Registry) -> None:
    source = find_model_by_name(str(shared_model), registry)
    assert (source.kind, source.folder, source.revision) == ("folder", shared_model, None)
    assert source.digest.startswith("sha256:")


def test_a_run_stands_for_its_model(here: Path, shared_model: Path, registry: Registry) -> None:
    run = here / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    with pytest.raises(ModelError, match="holds no model yet") as caught:
        find_model_by_name("run", registry)
    assert "tunesmith train --resume run" in str(caught.value)
    (run / "run.json").write_text('{"status": "finished"}')
    with pytest.raises(ModelError, match="holds no model any more") as caught:
        find_model_by_name("run", registry)
    assert "tunesmith train run/recipe.yaml --set output=FOLDER" in str(caught.value)
    (run / "model").symlink_to(shared_model)
    assert find_model_by_name("run", registry).folder == Path("run/model")


def test_a_file_is_no_model(shared_model: Path, registry: Registry) -> None:
    with pytest.raises(ModelError, match="this is a file") as caught:
        find_model_by_name(str(shared_model / "model.safetensors"), registry)
    assert f"name the folder: {shared_model}" in str(caught.value)


def test_a_pickle_file_is_refused_as_such(here: Path, registry: Registry) -> None:
    Path("pytorch_model.bin").touch()
    with pytest.raises(ModelError, match="a pickle can run any code"):
        find_model_by_name("pytorch_model.bin", registry)


def _adapter(folder: Path, base: object, shared_model: Path) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    (folder / "adapter_model.safetensors").write_bytes((shared_model / "model.safetensors").read_bytes())
    return folder


def test_adapter_over_adapter_over_model(here: Path, shared_model: Path, registry: Registry) -> None:
    _adapter(here / "one", str(shared_model), shared_model)
    _adapter(here / "two", "one", shared_model)
    two = find_model_by_name("two", registry)
    assert two.kind == "adapter"
    assert two.base is not None
    assert two.base.kind == "adapter"
    assert two.base.base is not None
    assert two.base.base.folder == shared_model


def test_adapter_beside_its_base(here: Path, shared_model: Path, registry: Registry) -> None:
    adapter = _adapter(here / "a", "base", shared_model)
    (adapter / "base").symlink_to(shared_model)
    base = find_model_by_name(str(adapter), registry).base
    assert base is not None
    assert base.folder == adapter / "base"


def test_adapters_that_cannot_be_resolved(here: Path, shared_model: Path, registry: Registry) -> None:
    _adapter(here / "lost", str(here / "gone"), shared_model)
    with pytest.raises(
        ModelError, match="the model under the adapter lost cannot be used: there is no model"
    ) as caught:
        find_model_by_name("lost", registry)
    assert "correct base_model_name_or_path" in str(caught.value)
    _adapter(here / "silent", None, shared_model)
    with pytest.raises(ModelError, match="does not say which model it stands on"):
        find_model_by_name("silent", registry)
    _adapter(here / "circle", str(here / "circle"), shared_model)
    with pytest.raises(ModelError, match="stands on itself"):
        find_model_by_name("circle", registry)


# ---- scratch: ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [("1m", 10**6), ("260k", 260_000), ("0.6b", 600_000_000), ("1M", 10**6), ("m", None), ("1", None), ("1.m", None)],
)
def test_sizes(text: str, size: int | None) -> None:
    assert parse_size(text) == size


def test_scratch_options(registry: Registry) -> None:
    options = find_model(ModelSection(name="scratch:llama-1m", vocabulary=512, context=64), registry, seed=7).scratch
    assert options is not None
    assert (options.architecture, options.size, options.tokenizer) == ("llama", 10**6, "bpe")
    assert (options.vocabulary, options.context, options.seed) == (512, 64, 7)


def test_new_layers_follow_the_seed(shared_model: Path, registry: Registry) -> None:
    sources = [find_model(ModelSection(name=str(shared_model)), registry, seed=seed) for seed in (0, 7)]
    heads = [load_weights(source, "sequence-classification").score.weight for source in sources]
    assert [source.seed for source in sources] == [0, 7]
    assert not heads[0].equal(heads[1])
    lora = MethodSection(name="lora", targets=["q_proj"])
    adapters = [
        next(p for p in apply_method(load_weights(source, "causal-lm"), lora).parameters() if p.requires_grad)
        for source in (sources[0], sources[1], sources[1])
    ]
    assert not adapters[0].equal(adapters[1])
    assert adapters[1].equal(adapters[2])


def test_scratch_defaults(registry: Registry) -> None:
    source = find_model(ModelSection(name="scratch:cnn"), registry)
    assert source.kind == "scratch"
    assert source.digest == ""
    assert source.scratch is not None
    assert (source.scratch.size, source.scratch.vocabulary, source.scratch.context) == (None, 1024, 256)
    byte = find_model(ModelSection(name="scratch:llama", tokenizer="byte"), registry).scratch
    assert byte is not None
    assert byte.vocabulary == BYTE_VOCABULARY


def test_scratch_with_unknown_or_wrong_architecture(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="did you mean 'llama'"):
        find_model_by_name("scratch:lama-1m", registry)
    with pytest.raises(ModelError, match="names no architecture"):
        find_model_by_name("scratch:", registry)
    with pytest.raises(ModelError, match="tiny is a trained model") as caught:
        find_model_by_name("scratch:tiny", registry)
    assert "model: tunesmith/tiny" in str(caught.value)
    with pytest.raises(ModelError, match="llama is an architecture without weights") as caught:
        find_model_by_name("llama", registry)
    assert "model: scratch:llama" in str(caught.value)


# ---- names that are nothing ----------------------------------------------------------------------


def test_did_you_mean_a_sibling(here: Path, registry: Registry) -> None:
    (here / "runs" / "banking").mkdir(parents=True)
    for name in ("runs/bankign", "./runs/bankign", str(here / "runs" / "bankign")):
        with pytest.raises(ModelError, match="there is no model") as caught:
            find_model_by_name(name, registry)
        assert "did you mean" in str(caught.value)
        assert "runs/banking?" in str(caught.value)


def test_neither_path_nor_hub_id(here: Path, registry: Registry) -> None:
    with pytest.raises(ModelError, match="not a path that exists, not a named model, not a hub id") as caught:
        find_model_by_name("nothing-like-it", registry)
    assert "tunesmith/tiny" in str(caught.value)
    with pytest.raises(NotFoundError):
        find_model_by_name("tunesmith/huge", registry)


# ---- hub -----------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces the download; set ``answer`` to a folder or an exception."""

    class Hub:
        answer: Any = None
        asked: dict[str, Any]

        def __call__(self, repo: str, **asked: Any) -> str:
            self.asked = {"repo": repo, **asked}
            if isinstance(self.answer, Exception):
                raise self.answer
            return str(self.answer)

    fake = Hub()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake)
    return fake


def _http(kind: type[Exception], message: str) -> Exception:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    return error


def test_hub_fetches_no_pickle_and_no_code(here: Path, hub: Any, shared_model: Path, registry: Registry) -> None:
    snapshot = here / "cafe"
    snapshot.symlink_to(shared_model)
    hub.answer = snapshot
    source = find_model(ModelSection(name="someone/model", revision="v1"), registry)
    assert (source.kind, source.revision, source.name) == ("folder", "cafe", "someone/model")
    assert hub.asked["revision"] == "v1"
    patterns = hub.asked["allow_patterns"]
    assert "*.safetensors" in patterns
    assert not {"*.bin", "*.pt", "*.py", "*"} & set(patterns)
    find_model(ModelSection(name="someone/model", trust_remote_code=True), registry)
    assert "*.py" in hub.asked["allow_patterns"]


@pytest.mark.parametrize(
    "error",
    [
        errors.LocalEntryNotFoundError("cannot find the snapshot"),
        errors.OfflineModeIsEnabled("offline mode"),
        ConnectionError("refused"),
        _http(errors.HfHubHTTPError, "502 bad gateway"),
    ],
)
def test_no_network_names_the_offline_ways(here: Path, hub: Any, registry: Registry, error: Exception) -> None:
    hub.answer = error
    with pytest.raises(OfflineError, match="someone/model has to come from the Hugging Face hub") as caught:
        find_model_by_name("someone/model", registry)
    for words in ("a local folder", "tunesmith/tiny", "HF_HUB_CACHE", "HF_HUB_OFFLINE=1", "hf download someone/model"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (errors.GatedRepoError, "gated and not granted"),
        (errors.RepositoryNotFoundError, "the hub has no model someone/model, or it is private"),
        (errors.RevisionNotFoundError, "has no such revision"),
    ],
)
def test_the_hub_says_no(here: Path, hub: Any, registry: Registry, kind: type[Exception], words: str) -> None:
    hub.answer = _http(kind, "no")
    with pytest.raises(ModelError, match=words):
        find_model_by_name("someone/model", registry)


def test_a_mistake_in_the_client_is_not_called_a_network_failure(here: Path, hub: Any, registry: Registry) -> None:
    hub.answer = AttributeError("bug")
    with pytest.raises(AttributeError):
        find_model_by_name("someone/model", registry)


def test_really_offline(here: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(here))
    with pytest.raises(OfflineError, match="HF_HUB_OFFLINE=1"):
        find_model_by_name("someone/model", registry)
