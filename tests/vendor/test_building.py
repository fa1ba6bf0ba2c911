# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The wheel that customers get: what is in it, that it is the same each time, and what is never built."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import armor, seal, signed_bytes
from tunesmith.licensing.contents import Revocation, Revocations
from tunesmith_enterprise.entitlement.build import read_build
from tunesmith_vendor import building, roots
from tunesmith_vendor.building import build_wheel, hand_over, read_chain, read_sources
from tunesmith_vendor.desk import CHAIN, Desk, utc_now
from tunesmith_vendor.drafts import Draft
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.roots import Change

Ask = Callable[[str], str]
BUILT_AT = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
ENTERPRISE = Path(__file__).resolve().parents[2] / "enterprise"
PYPROJECT = """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"
[project]
name = "tunesmith-enterprise"
version = "0.1.0"
classifiers = ["Private :: Do Not Upload"]
[tool.hatch.build.targets.wheel]
packages = ["tunesmith_enterprise"]
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Sources that look like the package, for what is refused before anything is built."""
    folder = tmp_path / "enterprise"
    (folder / "tunesmith_enterprise" / "placed").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    for name in ("README.md", "LICENSE-ENTERPRISE", "tunesmith_enterprise/__init__.py"):
        (folder / name).write_text("")
    return folder


def sdist_of(folder: Path, file: Path) -> Path:
    """A source distribution with the same files, written in another order and at another time."""
    with tarfile.open(file, "w:gz") as archive:
        for name, content in reversed(read_sources(folder).items()):
            member = tarfile.TarInfo(f"tunesmith_enterprise-0.1.0/{name}")
            member.size, member.mtime, member.mode = len(content), 1, 0o600
            archive.addfile(member, io.BytesIO(content))
    return file


def next_root(desk: Desk, ask: Ask, expires: datetime) -> None:
    draft = roots.next_draft(desk, Change({}, {}, {}), expires)
    for name in ("root-1", "root-2"):
        draft = draft.signed_with(desk.register().find(name).public, desk.signer(name, "root", ask))
    roots.join(desk, draft)


def revocations(desk: Desk, ask: Ask, product: str = "tunesmith-enterprise") -> bytes:
    entry = Revocation("license", "lic-7", None, BUILT_AT, "the order was canceled")
    return desk.issue_sealed(Revocations(product, 4, BUILT_AT, (entry,)).payload(), "revocations", (), ask)


def test_the_wheel_of_this_checkout_is_read_by_the_package_as_what_was_placed(
    desk: Desk, tmp_path: Path, ask: Ask
) -> None:
    """From real sources: a folder and a source distribution, each built; the same bytes, and all of them expected."""
    next_root(desk, ask, datetime(2045, 1, 1, tzinfo=timezone.utc))
    listed = revocations(desk, ask)
    before = {path: path.stat().st_mtime_ns for path in ENTERPRISE.rglob("placed/*")}
    placing: dict[str, Any] = {"built_at": BUILT_AT, "revocations": listed, "watermark": "Example Ltd"}
    sdist = sdist_of(ENTERPRISE, tmp_path / "sources.tar.gz")
    one = build_wheel(ENTERPRISE, tmp_path / "one", desk.chain(), **placing)
    two = build_wheel(sdist, tmp_path / "two", desk.chain(), **placing)
    assert {path: path.stat().st_mtime_ns for path in ENTERPRISE.rglob("placed/*")} == before, "untouched"
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.sha256 == two.sha256 == hashlib.sha256(one.path.read_bytes()).hexdigest()
    assert (one.version, one.root_version, one.revocations) == ("0.1.0", 2, 4)

    with zipfile.ZipFile(one.path) as wheel:
        names = wheel.namelist()
        wheel.extractall(tmp_path / "installed")
        assert {info.date_time for info in wheel.infolist()} == {(2026, 11, 26, 12, 0, 0)}
    placed = tmp_path / "installed" / "tunesmith_enterprise" / "placed"
    build = read_build(placed)
    assert build.trust is not None
    assert build.trust.root == desk.trust().root
    assert (build.built_at, build.version, build.revocations) == (BUILT_AT, "0.1.0", listed)
    assert read_chain(placed / "root.txt") == desk.chain(), "all of it, so that every installation can follow"
    assert json.loads((placed / "build.json").read_text()).keys() == {"schema", "built_at", "version"}
    assert (placed / "watermark.txt").read_text() == "Example Ltd\n"
    sources = {name for name in read_sources(ENTERPRISE) if name.startswith("tunesmith_enterprise/")}
    files = ("root.txt", "build.json", "revocations.txt", "watermark.txt")
    added = {f"tunesmith_enterprise/placed/{name}" for name in files}
    assert {name for name in names if ".dist-info/" not in name} == sources | added
    for name in names:
        assert b"PRIVATE KEY-----\n" not in (tmp_path / "installed" / name).read_bytes(), name
        assert not {"tests", "vendor"} & set(Path(name).parts), name


def test_a_wheel_is_never_written_over_by_another_build(tmp_path: Path) -> None:
    path = hand_over(tmp_path / "out", "a.whl", b"one build")
    assert hand_over(tmp_path / "out", "a.whl", b"one build") == path, "the same once more is no error"
    with pytest.raises(VendorError, match="there is a file of that name already, and it stays"):
        hand_over(tmp_path / "out", "a.whl", b"another build")
    assert path.read_bytes() == b"one build"


def test_without_a_root_nothing_is_built(small: Path, tmp_path: Path) -> None:
    with pytest.raises(VendorError, match="there is no root to build with"):
        build_wheel(small, tmp_path / "out", (), built_at=BUILT_AT)
    assert not (tmp_path / "out").exists()


def test_a_root_that_too_few_signed_is_refused(
    bare_desk: Desk, first_draft: Draft, small: Path, tmp_path: Path, ask: Ask
) -> None:
    entry = bare_desk.register().find("root-1")
    draft = first_draft.signed_with(entry.public, bare_desk.signer("root-1", "root", ask))
    envelope = seal(draft.payload, "root", {entry.public: draft.signatures[entry.public.keyid]})
    with pytest.raises(SignedDocumentError) as caught:
        build_wheel(small, tmp_path / "out", [envelope], built_at=BUILT_AT)
    assert caught.value.reason == "root-new-keys"


def test_an_expired_root_is_refused(
    desk: Desk, small: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "utc_now", lambda: datetime(2040, 1, 1, tzinfo=timezone.utc))
    with pytest.raises(VendorError) as caught:
        build_wheel(small, tmp_path / "out", desk.chain(), built_at=BUILT_AT)
    assert "the newest root has expired" in str(caught.value)
    assert "tunesmith-vendor root rotate" in str(caught.value)
    next_root(desk, ask, datetime(2039, 1, 1, tzinfo=timezone.utc))
    with pytest.raises(SignedDocumentError) as expired:
        build_wheel(small, tmp_path / "out", desk.chain(), built_at=BUILT_AT)
    assert expired.value.reason == "root-expired"


def test_a_chain_with_a_root_missing_or_twice_is_refused(desk: Desk, small: Path, tmp_path: Path, ask: Ask) -> None:
    for _ in range(2):
        next_root(desk, ask, datetime(2045, 1, 1, tzinfo=timezone.utc))
    one, two, three = desk.chain()
    for chain, words in (
        ([two, three], "the chain of roots is not whole"),
        ([one, three], "others are missing"),
        ([one, two, two, three], "not newer than the one in use"),
        ([one, two, three, one], "the chain of roots is not in order"),
    ):
        with pytest.raises((VendorError, SignedDocumentError), match=words):
            build_wheel(small, tmp_path / "out", chain, built_at=BUILT_AT)


@pytest.mark.parametrize("name", ["root.txt", "build.json", "revocations.txt", "watermark.txt"])
def test_sources_in_which_something_was_placed_are_refused(small: Path, name: str) -> None:
    (small / "tunesmith_enterprise" / "placed" / name).write_text("from somebody")
    with pytest.raises(VendorError, match="a checkout never holds a root"):
        read_sources(small)


def test_sources_with_a_private_key_are_refused(small: Path) -> None:
    (small / "tunesmith_enterprise" / "notes.txt").write_text("-----BEGIN PRIVATE" + " KEY-----\n")
    with pytest.raises(VendorError) as caught:
        read_sources(small)
    assert "a private key lies in these sources" in str(caught.value)
    assert "notes.txt" in str(caught.value)


def test_links_in_sources_are_refused(small: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("")
    (small / "tunesmith_enterprise" / "link.py").symlink_to(tmp_path / "outside")
    with pytest.raises(VendorError, match="a link lies in these sources"):
        read_sources(small)


@pytest.mark.parametrize("name", ["tunesmith_enterprise-0.1.0/tunesmith_enterprise/../../../escape", "link"])
def test_a_source_distribution_that_reaches_out_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "sources.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        member = tarfile.TarInfo(name if name != "link" else "tunesmith_enterprise-0.1.0/tunesmith_enterprise/link")
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member, io.BytesIO())
    with pytest.raises(VendorError, match="a link lies in these sources"):
        read_sources(file)


def test_what_is_not_the_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VendorError, match="these are not the sources of the enterprise package"):
        read_sources(tmp_path)
    (tmp_path / "file").write_text("no archive")
    with pytest.raises(VendorError, match="the sources cannot be read"):
        read_sources(tmp_path / "file")


def test_a_list_for_another_product_or_by_another_key_is_refused(
    desk: Desk, small: Path, tmp_path: Path, ask: Ask
) -> None:
    with pytest.raises(VendorError, match="for another product"):
        build_wheel(
            small,
            tmp_path / "out",
            desk.chain(),
            built_at=BUILT_AT,
            revocations=revocations(desk, ask, "something-else"),
        )
    entry = desk.register().find("issuer-1")
    payload = Revocations("tunesmith-enterprise", 1, BUILT_AT, ()).payload()
    made = desk.signer("issuer-1", "issuer", ask)(signed_bytes(payload, "revocations"))
    with pytest.raises(SignedDocumentError, match="keys of the role issuer"):
        build_wheel(
            small,
            tmp_path / "out",
            desk.chain(),
            built_at=BUILT_AT,
            revocations=seal(payload, "revocations", {entry.public: made}),
        )


@pytest.mark.parametrize("moment", [utc_now() + timedelta(days=2), datetime(1979, 1, 1, tzinfo=timezone.utc)])
def test_a_build_from_the_future_or_before_zip_is_refused(
    desk: Desk, small: Path, tmp_path: Path, moment: datetime
) -> None:
    with pytest.raises(VendorError, match="no build is from that time"):
        build_wheel(small, tmp_path / "out", desk.chain(), built_at=moment)


def test_a_watermark_that_a_terminal_would_obey_is_refused(desk: Desk, small: Path, tmp_path: Path) -> None:
    with pytest.raises(SignedDocumentError, match="the watermark holds a character that is not for showing"):
        build_wheel(small, tmp_path / "out", desk.chain(), built_at=BUILT_AT, watermark="\x1b[2J")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ('packages = ["tunesmith_enterprise"]', 'packages = ["tunesmith_enterprise"]\nexclude = ["placed"]'),
            "placed/",
        ),
        (('["Private :: Do Not Upload"]', "[]"), "could be uploaded to the public index"),
    ],
    ids=["leaves out what was placed", "could be published"],
)
def test_a_wheel_that_is_not_what_it_should_be_is_thrown_away(
    desk: Desk, small: Path, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    (small / "pyproject.toml").write_text(PYPROJECT.replace(*change))
    with pytest.raises(VendorError, match="was thrown away") as caught:
        build_wheel(small, tmp_path / "out", desk.chain(), built_at=BUILT_AT)
    assert words in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_chain_file_holds_roots_and_a_draft_is_told_by_its_name(
    desk: Desk, first_draft: Draft, tmp_path: Path, ask: Ask
) -> None:
    assert read_chain(desk.folder / CHAIN) == desk.chain()
    file = tmp_path / "file"
    file.write_bytes(first_draft.to_json())
    with pytest.raises(VendorError, match="this is a draft of a root, and not a root"):
        read_chain(file)
    file.write_text(armor(revocations(desk, ask)))
    with pytest.raises(VendorError, match="something else than roots"):
        read_chain(file)
