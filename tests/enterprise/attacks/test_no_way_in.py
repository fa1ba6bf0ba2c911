# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Nothing grants but a signed license: no key in the tree, no variable, no flag, no hook for tests, no second way."""

import ast
import re
import subprocess
import sys

import pytest
from desk import NOW

from tunesmith_enterprise.entitlement.build import Build, this_build
from tunesmith_enterprise.entitlement.deciding import decide
from tunesmith_enterprise.entitlement.features import FEATURES
from tunesmith_enterprise.entitlement.gathering import gather
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.errors import LicenseError

# Every variable that is read, and what it can do. None can unlock anything: licenses are signed, and the rest
# narrows or names. A new one has to find its place here.
VARIABLES = {
    "TUNESMITH_LICENSE": "the text of a license, which is verified",
    "TUNESMITH_LICENSE_FILE": "names of files, of which the same holds",
    "TUNESMITH_INSTALL_ID": "the id that a license may be bound to; the license stays the vendor's",
    "TUNESMITH_CLUSTER_ID": "the same for a cluster",
    "TUNESMITH_LICENSE_SERVER": "which server is asked for a seat; its key is one that the vendor signed",
    "TUNESMITH_LICENSE_SERVER_CA": "whose certificates it may have",
    "TUNESMITH_LICENSE_SERVER_SECRET_FILE": "with which secret it is asked",
    "TUNESMITH_LICENSE_SERVER_CERT": "with which certificate it is asked",
    "TUNESMITH_LICENSE_SERVER_KEY": "and the key of that",
    "TUNESMITH_LICENSE_SERVER_DATABASE": "where a license server keeps its seats",
    "TUNESMITH_NODE_ID": "the node that a lease is for; it is asked for under the same name",
    "CI": "licenses for continuous integration count there only",
    "XDG_CONFIG_HOME": "where files are looked for",
    "XDG_STATE_HOME": "where is kept what is known",
    "APPDATA": "the same on Windows",
    "LOCALAPPDATA": "the same on Windows",
    "PROGRAMDATA": "the same on Windows",
    "COMPUTERNAME": "the machine's name on Windows, for the binding to a domain",
    "RANK": "which of several processes this is; how many are licensed is asked of the group that came together",
    "LOCAL_RANK": "the same on this machine: which GPU it takes",
    "WORLD_SIZE": "for the message that the processes did not come together",
    "MASTER_ADDR": "the same",
    "MASTER_PORT": "the same",
    "LOCAL_WORLD_SIZE": "how many there are on this machine, for advice",
    "GROUP_RANK": "which of several machines this is: where they are counted, a larger number asks for more",
    "TORCHELASTIC_USE_AGENT_STORE": "whether the launcher holds the place where processes meet",
    "TORCHELASTIC_RUN_ID": "the name of their meeting there",
    "TORCHELASTIC_SIGNALS_TO_HANDLE": "set, so that signals are the launcher's",
    "RAY_USAGE_STATS_ENABLED": "set, where it is not, so that Ray sends nothing home",
    "RAY_TRAIN_V2_ENABLED": "set, where it is not: which of Ray's trainers starts the processes",
    "CUDA_VISIBLE_DEVICES": "whether Ray shows a process its own GPU alone",
    "TORCH_CPP_LOG_LEVEL": "set, where it is not, so that torch does not chat",
    "OMP_NUM_THREADS": "set for the processes that are started, where it is not",
    "GLOO_SOCKET_IFNAME": "the same",
    "NCCL_SOCKET_IFNAME": "the same",
}
VARIABLE = re.compile(r"(TUNESMITH|XDG)_[A-Z0-9_]+|CI|APPDATA|LOCALAPPDATA|PROGRAMDATA|COMPUTERNAME")
DECIDING = ("entitlement/", "leasing/", "chained_log.py")
"""The rooms of the package that decide something, or keep what is decided by."""

PRIVATE = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/=\s]{60,}"  # PEM with something in it
    rb"|MC4CAQAwBQYDK2VwBCIE[A-Za-z0-9+/]{20}"  # an Ed25519 key in base64 of PKCS#8 ...
    rb"|302e020100300506032b657004220420[0-9a-fA-F]{32}"  # ... in hexadecimal ...
    rb"|\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"  # ... as it is
    rb'|"d"\s*:\s*"[A-Za-z0-9_-]{43}"'  # and as a JWK
)


def files_of(root):
    """All files of the tree that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this tree is no checkout")
    return [root / name for name in listed.stdout.decode().split("\0") if name and (root / name).is_file()]


def test_no_private_key_is_anywhere_in_the_tree(root):
    assert PRIVATE.search(b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rA\n")
    found = [file for file in files_of(root) if PRIVATE.search(file.read_bytes())]
    assert [str(file.relative_to(root)) for file in found if file.name != "test_no_way_in.py"] == []


def test_no_seed_of_a_key_stands_in_the_code_of_the_packages(root, enterprise, format_room):
    """32 bytes as hexadecimal, base64 or bytes; and nothing loads a key from raw bytes."""
    for name, tree in {**enterprise, **format_room}.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
                text = node.value if isinstance(node.value, bytes) else node.value.encode()
                assert not re.search(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])|[A-Za-z0-9+/]{43}=", text), name
                assert not (isinstance(node.value, bytes) and len(text) in (32, 64)), name
            assert not (isinstance(node, ast.Attribute) and node.attr == "from_private_bytes"), name


def test_a_checkout_has_no_root_and_unlocks_nothing(root, tmp_path, desk):
    placed = root / "enterprise" / "tunesmith_enterprise" / "placed"
    assert [file.name for file in placed.iterdir() if file.suffix != ".pyc"] == ["README.md"]
    assert this_build() == Build()
    evidence = gather(desk.license(), environ={}, places=places(tmp_path), now=NOW)
    with pytest.raises(LicenseError, match="holds no root of trust"):
        decide("governance", {}, evidence)


def places(folder):
    return Places(*(folder / name for name in ("user", "system", "secrets", "state")))


def test_only_variables_that_are_listed_are_read(enterprise, format_room):
    seen = set()
    for tree in (*enterprise.values(), *format_room.values()):
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        seen.update(text for text in texts if isinstance(text, str) and VARIABLE.fullmatch(text))
        for node in ast.walk(tree):  # environ.get("NAME"), environ["NAME"], getenv("NAME")
            held = node.func if isinstance(node, ast.Call) else node if isinstance(node, ast.Subscript) else None
            if held is not None and re.search(r"\benviron\b|getenv", ast.unparse(held)):
                given = node.args[:1] if isinstance(node, ast.Call) else [node.slice]
                seen.update(one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str))
    assert seen - set(VARIABLES) == set()
    assert {"TUNESMITH_LICENSE", "TUNESMITH_LICENSE_FILE", "CI"} <= seen


def test_the_format_itself_reads_no_variable_at_all(format_room):
    for name, tree in format_room.items():
        words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not words & {"environ", "getenv", "argv"}, name


OURS = (
    "ENTERPRISE ENTERPRISE_ENABLED LICENSE_SKIP SKIP_LICENSE NO_LICENSE LICENSE_BYPASS DEV DEBUG TEST TESTING UNLOCK "
    "NOW FEATURES ROOT LICENSE_ROOT LICENSE_KEY LICENSE_PUBLIC_KEY LICENSE_PRIVATE_KEY TRIAL CLOCK BUILD "
    "PLACED PRODUCT OEM"
)
ANYBODYS = (
    "NEXT_PUBLIC_IS_E2E PYTEST_CURRENT_TEST PYTHONDEBUG DEBUG DEV DEVELOPMENT NODE_ENV TESTING UNITTEST E2E ENTERPRISE "
    "GITHUB_ACTIONS SOURCE_DATE_EPOCH FAKETIME LICENSE_KEY LICENSE ENTERPRISE_LICENSE"
)
GUESSES = [*("TUNESMITH_" + name for name in OURS.split(" ")), *ANYBODYS.split(" ")]


@pytest.mark.parametrize("value", ["1", "true", "*", "enterprise", "production"])
def test_no_variable_that_somebody_might_guess_unlocks_anything(value, tmp_path, desk):
    environ = dict.fromkeys(GUESSES, value) | {"CI": "true"}
    evidence = gather(environ=environ, places=places(tmp_path), build=desk.build(), now=NOW)
    assert evidence.held == ()
    assert evidence.facts.now == NOW
    for feature in FEATURES:
        with pytest.raises(LicenseError, match="needs a license, and none was found"):
            decide(feature, {}, evidence)


def calls(trees, *names):
    """Where something of these names is called: the file and the function around it."""
    found = set()
    for file, tree in trees.items():
        for outer in ast.walk(tree):
            if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for node in ast.walk(outer):
                    called = node.func if isinstance(node, ast.Call) else None
                    if isinstance(called, ast.Name) and called.id in names:
                        found.add((file, outer.name))
    return found


def test_there_is_one_place_that_grants(enterprise):
    """To look at, and to guard: a grant is made by ``_grant``, which only ``decide`` calls, at its end."""
    assert calls(enterprise, "Grant") == {("entitlement/deciding.py", "_grant")}
    assert calls(enterprise, "_grant") == {("entitlement/deciding.py", "decide")}
    decision = next(
        node
        for node in enterprise["entitlement/deciding.py"].body
        if isinstance(node, ast.FunctionDef) and node.name == "decide"
    )
    returns = [node for node in ast.walk(decision) if isinstance(node, ast.Return)]
    assert returns == [decision.body[-1]]


def test_there_is_one_place_that_says_whom_to_trust(enterprise):
    """A build is read from the package's own folder; no other code makes one, or begins to trust a root."""
    assert calls(enterprise, "Build") == {("entitlement/build.py", "read_build")}
    assert calls(enterprise, "read_build") == {("entitlement/build.py", "this_build")}
    begun = {
        file
        for file, tree in enterprise.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "start" and getattr(node.value, "id", "") == "Trust"
    }
    assert begun == {"entitlement/build.py"}


def test_nothing_is_decided_by_an_assert(enterprise, format_room):
    """``python -O`` leaves them out."""
    rooms = {name: tree for name, tree in enterprise.items() if name.startswith(DECIDING)}
    for name, tree in {**rooms, **format_room}.items():
        assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)], name
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "__debug__"], name


def test_the_packages_know_nothing_of_tests(enterprise, format_room):
    for name, tree in {**enterprise, **format_room}.items():
        for node in ast.walk(tree):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not {module.split(".")[0] for module in modules} & {"pytest", "unittest", "hypothesis", "desk"}, name


def test_nothing_is_evaluated_or_unpickled(enterprise, format_room):
    """What lies on a disk or comes over a network is data."""
    for name, tree in {**enterprise, **format_room}.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                assert node.id not in ("eval", "exec", "compile", "__import__"), (name, node.lineno)
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                words = {getattr(node, "module", None) or "", *(alias.name for alias in node.names)}
                assert not words & {"pickle", "marshal", "shelve", "dill", "ctypes"}, (name, node.lineno)


def test_without_asserts_and_docstrings_it_refuses_all_the_same(tmp_path):
    program = (
        "from pathlib import Path\n"
        "from tunesmith_enterprise.entitlement.deciding import decide\n"
        "from tunesmith_enterprise.entitlement.gathering import gather\n"
        "from tunesmith_enterprise.entitlement.places import Places\n"
        "from tunesmith_enterprise.errors import LicenseError\n"
        "here = Path.cwd()\n"
        "try:\n"
        "    decide('governance', {}, gather(environ={}, places=Places(here, here, here, here)))\n"
        "except LicenseError as error:\n"
        "    print(error.code)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-OO", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "no-root\n"
