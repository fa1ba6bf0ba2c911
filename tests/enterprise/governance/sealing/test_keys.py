# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Keys in files, and in services of which doubles stand in."""

from __future__ import annotations

import json
import stat
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from licensed import Machine, a_machine

from tunesmith.errors import OutputError, SettingsError
from tunesmith_enterprise.governance.sealing.errors import SealedFileError, SealKeyError
from tunesmith_enterprise.governance.sealing.folders import rewrap, seal_one, unseal
from tunesmith_enterprise.governance.sealing.keys import FileKey, create_key_file, key_id, read_key_file
from tunesmith_enterprise.governance.sealing.ring import KeyRing, key_ring


def test_a_key_is_drawn_for_its_owner_alone_and_never_over_another(tmp_path: Path) -> None:
    made = create_key_file(tmp_path / "a.key")
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    assert read_key_file(tmp_path / "a.key") == made
    assert len(made.key) == 32
    assert made.key not in (create_key_file(tmp_path / "b.key").key, bytes(32))
    with pytest.raises(OutputError, match="no key is overwritten"):
        create_key_file(tmp_path / "a.key")
    with pytest.raises(OutputError, match="cannot be written"):
        create_key_file(tmp_path / "none" / "a.key")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    create_key_file(tmp_path / "a.key")
    (tmp_path / "a.key").chmod(0o640)
    with pytest.raises(SealKeyError, match="others than its owner may use the key file") as caught:
        read_key_file(tmp_path / "a.key")
    assert "chmod 600" in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda told: told | {"id": "0" * 16},
        lambda told: told | {"key": b64encode(bytes(32)).decode()},
        lambda told: told | {"key": b64encode(bytes(16)).decode(), "id": key_id(bytes(16))},
        lambda told: told | {"key": "?"},
        lambda told: told | {"tunesmith_seal_key": 2},
        lambda told: {},
        lambda told: [],
        lambda told: "key",
    ],
)
def test_a_damaged_key_is_found_when_it_is_read(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "a.key"
    create_key_file(path)
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(SealKeyError, match="is no key file, or is damaged") as caught:
        read_key_file(path)
    assert path.read_text() not in str(caught.value)


# ---- the ring --------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return a_machine(tmp_path, monkeypatch)


def test_the_first_key_seals_and_all_of_them_open(machine: Machine) -> None:
    one, two, three = (create_key_file(machine.folder / f"{name}.key") for name in ("one", "two", "three"))
    machine.settings(f'[plugins.enterprise]\nseal_keys = ["{machine.folder}/two.key", "{machine.folder}/three.key"]\n')
    assert [key.id for key in key_ring().keys] == [two.id, three.id]
    ring = key_ring([str(machine.folder / "one.key")])
    assert [key.id for key in ring.keys] == [one.id, two.id, three.id]
    assert ring.sealing == one


def test_nothing_is_sealed_with_an_old_key_because_the_new_one_is_gone(machine: Machine) -> None:
    create_key_file(machine.folder / "old.key")
    machine.settings(f'[plugins.enterprise]\nseal_keys = ["{machine.folder}/new.key", "{machine.folder}/old.key"]\n')
    ring = key_ring()
    assert len(ring.keys) == 1
    with pytest.raises(SealKeyError, match="there is no key to seal with") as caught:
        _ = ring.sealing
    assert "new.key cannot be read" in str(caught.value)
    with pytest.raises(SealKeyError, match="there is no key to seal with") as caught:
        _ = KeyRing(()).sealing
    assert "tunesmith seal key create" in str(caught.value)
    with pytest.raises(SealKeyError, match=r"gone\.key cannot be read"):
        key_ring(["gone.key"])


@pytest.mark.parametrize("given", ['["relative.key"]', "[1]", "7", '[""]'])
def test_settings_that_name_no_keys_are_an_error(machine: Machine, given: str) -> None:
    machine.settings(f"[plugins.enterprise]\nseal_keys = {given}\n")
    with pytest.raises(SettingsError, match="names no keys"):
        key_ring()


def test_a_project_does_not_say_which_keys_are_used(machine: Machine) -> None:
    machine.settings("")
    (machine.folder / "tunesmith.toml").write_text('[plugins.enterprise]\nseal_keys = ["/tmp/mine.key"]\n')
    assert key_ring().keys == ()


# ---- services --------------------------------------------------------------------------------------------------


class RefusedError(Exception):
    """What a service says to what it did not encrypt; made to look as each of their libraries has it."""

    response: dict[str, Any] = {"Error": {"Code": "InvalidCiphertextException"}}  # noqa: RUF012 - as botocore has it


class Service:
    """Encrypts by turning bytes around behind what they are bound to; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.down = False

    def wrap(self, plain: bytes, bound: bytes) -> bytes:
        if self.down:
            raise ConnectionError("no route to host")
        return b"wrapped" + bound + plain[::-1]

    def unwrap(self, wrapped: bytes, bound: bytes) -> bytes:
        if self.down:
            raise ConnectionError("no route to host")
        if not wrapped.startswith(b"wrapped" + bound):
            raise RefusedError
        return wrapped[len(b"wrapped" + bound) :][::-1]


def aws(service: Service) -> dict[str, ModuleType]:
    def encrypt(*, KeyId: str, Plaintext: bytes, EncryptionContext: dict[str, str]) -> dict[str, Any]:  # noqa: N803
        service.asked.append({"key": KeyId})
        return {"CiphertextBlob": service.wrap(Plaintext, json.dumps(EncryptionContext).encode())}

    def decrypt(*, KeyId: str, CiphertextBlob: bytes, EncryptionContext: dict[str, str]) -> dict[str, Any]:  # noqa: N803
        service.asked.append({"key": KeyId})
        return {"Plaintext": service.unwrap(CiphertextBlob, json.dumps(EncryptionContext).encode())}

    boto3 = ModuleType("boto3")
    boto3.client = lambda name: SimpleNamespace(encrypt=encrypt, decrypt=decrypt)  # type: ignore[attr-defined]
    return {"boto3": boto3}


def google(service: Service) -> dict[str, ModuleType]:
    RefusedError.__name__ = "InvalidArgument"

    class Client:
        def encrypt(self, *, request: dict[str, Any]) -> SimpleNamespace:
            service.asked.append({"key": request["name"]})
            bound = request["additional_authenticated_data"]
            return SimpleNamespace(ciphertext=service.wrap(request["plaintext"], bound))

        def decrypt(self, *, request: dict[str, Any]) -> SimpleNamespace:
            service.asked.append({"key": request["name"]})
            bound = request["additional_authenticated_data"]
            return SimpleNamespace(plaintext=service.unwrap(request["ciphertext"], bound))

    modules = {name: ModuleType(name) for name in ("google", "google.cloud", "google.cloud.kms")}
    modules["google.cloud"].kms = modules["google.cloud.kms"]  # type: ignore[attr-defined]
    modules["google.cloud.kms"].KeyManagementServiceClient = Client  # type: ignore[attr-defined]
    return modules


def vault(service: Service) -> dict[str, ModuleType]:
    RefusedError.__name__ = "InvalidRequest"

    def encrypt_data(*, name: str, mount_point: str, plaintext: str, associated_data: str) -> dict[str, Any]:
        service.asked.append({"key": f"{mount_point}/{name}"})
        wrapped = service.wrap(b64decode(plaintext), b64decode(associated_data))
        return {"data": {"ciphertext": f"vault:v1:{b64encode(wrapped).decode()}"}}

    def decrypt_data(*, name: str, mount_point: str, ciphertext: str, associated_data: str) -> dict[str, Any]:
        service.asked.append({"key": f"{mount_point}/{name}"})
        plain = service.unwrap(b64decode(ciphertext.removeprefix("vault:v1:")), b64decode(associated_data))
        return {"data": {"plaintext": b64encode(plain).decode()}}

    hvac = ModuleType("hvac")
    transit = SimpleNamespace(encrypt_data=encrypt_data, decrypt_data=decrypt_data)
    hvac.Client = lambda: SimpleNamespace(secrets=SimpleNamespace(transit=transit))  # type: ignore[attr-defined]
    return {"hvac": hvac}


SERVICES = {
    "awskms:arn:aws:kms:eu-central-1:111122223333:key/abc": aws,
    "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k": google,
    "vault:secret/transit/models": vault,
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_key_in_a_service_seals_opens_and_is_changed(
    name: str, machine: Machine, monkeypatch: pytest.MonkeyPatch, ring: KeyRing
) -> None:
    service = Service()
    for module, double in SERVICES[name](service).items():
        monkeypatch.setitem(sys.modules, module, double)
    cloud, path = key_ring([name]), machine.folder / "rows.jsonl"
    path.write_text("rows")
    seal_one(path, cloud)
    sealed = path.with_name("rows.jsonl.sealed")
    assert unseal(sealed, machine.folder / "out", cloud) == 1
    assert (machine.folder / "out").read_text() == "rows"
    assert {asked["key"] for asked in service.asked} == {name.partition(":")[2]}
    # bound to the file: the wrapped key of another one is refused by the service itself
    path.write_text("other")
    sealed.rename(path.with_name("first"))
    seal_one(path, cloud)
    mixed = path.with_name("first").read_bytes()[:4104] + sealed.read_bytes()[4104:]
    (machine.folder / "mixed.sealed").write_bytes(mixed)
    with pytest.raises(SealedFileError, match="was changed, or belongs to another file"):
        unseal(machine.folder / "mixed.sealed", machine.folder / "none", cloud)
    # from the service into a file, and with the service down nothing changes
    service.down = True
    with pytest.raises(SealKeyError, match="did not do what it was asked for") as caught:
        rewrap(sealed, KeyRing((*ring.keys, *cloud.keys)))
    assert "no route to host" in str(caught.value)
    service.down = False
    assert rewrap(sealed, KeyRing((*ring.keys, *cloud.keys))) == (1, 1)
    service.down = True
    assert unseal(sealed, machine.folder / "again", ring) == 1


@pytest.mark.parametrize(("name", "extra"), [("awskms:k", "aws"), ("gcpkms:k", "gcp"), ("vault:k", "vault")])
def test_a_library_that_is_missing_is_named_with_its_extra(
    name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("boto3", "google.cloud", "google.cloud.kms", "hvac"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SealKeyError, match="need another package") as caught:
        key_ring([name]).sealing.wrap(bytes(32), bytes(32))
    assert f"tunesmith-enterprise[{extra}]" in str(caught.value)
    with pytest.raises(SealKeyError, match="names no key"):
        key_ring([name.partition(":")[0] + ":"])


def test_a_key_says_nothing_of_itself() -> None:
    key = FileKey(b"\x07" * 32)
    assert repr(key) == "FileKey()"
    assert "0707" not in key.id
