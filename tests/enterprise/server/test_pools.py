# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the server lends: pools that the vendor signed for its own key, and no older ones than it has had."""

import stat

import pytest
from desk import DAY, NOW, Desk, new_key
from lending import Site

from tunesmith.errors import OutputError, SettingsError, SignedDocumentError
from tunesmith.licensing import Trust, armor, dearmor_all
from tunesmith_enterprise.entitlement.build import Build
from tunesmith_enterprise.server.keys import make_key, read_key
from tunesmith_enterprise.server.pools import read_pools
from tunesmith_enterprise.server.refusals import Declined
from tunesmith_enterprise.server.service import Service
from tunesmith_enterprise.server.storage import open_storage


def words(kind, call, *arguments, **named):
    with pytest.raises(kind) as caught:
        call(*arguments, **named)
    return str(caught.value)


def read(site, **named):
    build = named.pop("build", site.desk.build())
    return read_pools([site.pool_file], key=site.key.public, build=build, now=NOW, **named)


def test_a_build_without_a_root_serves_nothing(site):
    assert "has no root" in words(SettingsError, read, site, build=Build())


def test_a_pool_for_another_servers_key_is_refused_by_name(site):
    site.pool_file.write_text(armor(site.desk.pool(new_key())))
    assert "for another license server" in words(SignedDocumentError, read, site)


def test_a_pool_of_another_product_is_refused_by_name(site):
    site.pool(product="something-else")
    assert "something-else" in words(SignedDocumentError, read, site)


def test_a_pool_that_another_vendor_signed_is_refused(site):
    site.pool_file.write_text(armor(Desk().pool(site.key._private)))
    assert "nobody who may sign a pool" in words(SignedDocumentError, read, site)


def test_a_damaged_file_is_named_with_what_is_wrong_with_it(site):
    site.pool_file.write_text(site.pool_file.read_text()[:500])
    told = words(SignedDocumentError, read, site)
    assert "the end of the document is missing" in told
    assert str(site.pool_file) in told


def test_a_license_in_the_place_of_a_pool_is_told(site):
    site.pool_file.write_text(armor(site.desk.license()))
    assert "another document than a pool" in words(SettingsError, read, site)


def test_a_missing_file_is_told(site):
    site.pool_file.unlink()
    assert "cannot be read" in words(SettingsError, read, site)


def test_newer_roots_in_the_file_are_followed_and_travel_with_the_pool(site):
    old, first = Trust.start(site.desk.root()), site.desk.root()
    site.desk.issuer = new_key()
    second = site.desk.root(2)
    pool = site.desk.pool(site.key._private)
    site.pool_file.write_text(armor(pool))
    build = Build(old, NOW - 30 * DAY, "0.1.0")
    assert "nobody who may sign a pool" in words(SignedDocumentError, read, site, build=build)
    site.pool_file.write_text(armor(first) + armor(second) + armor(pool))
    served = read(site, build=build).by_id["pool-1"]
    assert [document.kind for document in dearmor_all(served.text)] == ["root", "root", "pool"]


def test_a_renewed_pool_is_taken_without_a_restart(site):
    for _ in range(3):
        site.claim()
    site.pool(serial=2, seats=4)
    assert site.service.reload()
    assert site.claim().pool_id == "pool-1"
    assert site.events()[-2:] == ["pool", "taken"]


def test_a_damaged_file_at_a_reload_leaves_the_pools_as_they_were(site):
    site.claim()
    site.pool_file.write_text("-----BEGIN TUNESMITH POOL-----")
    assert not site.service.reload()
    assert site.claim().pool_id == "pool-1"


def test_an_older_pool_does_not_come_back_not_even_after_a_restart(site):
    site.pool(serial=2, seats=1)
    site.claim()
    site.pool(serial=1, seats=100)
    assert not site.service.reload()
    site.service.close()
    site.opened.clear()
    told = words(SettingsError, site.start)
    assert "serial 1; 2 was there before" in told
    assert "server.pub" in told


def test_an_older_list_of_revocations_does_not_come_back(site):
    original = site.pool_file.read_text()
    site.revoke(number=5)
    assert words(Declined, site.claim).startswith("the vendor has revoked")
    site.pool_file.write_text(original + armor(site.desk.revocations(number=4)))
    site.service.reload()
    assert words(Declined, site.claim).startswith("the vendor has revoked")
    site.restart()
    assert words(Declined, site.claim).startswith("the vendor has revoked")
    site.pool_file.write_text(original + armor(site.desk.revocations(number=6)))
    assert site.service.reload()
    assert site.claim().pool_id == "pool-1"


def test_a_revoked_serial_is_lifted_by_the_next_pool(site):
    site.revoke(up_to=1)
    assert words(Declined, site.claim).startswith("the vendor has revoked")
    revoked = site.pool_file.read_text()
    site.pool(serial=2)
    site.pool_file.write_text(site.pool_file.read_text() + revoked.partition("-----END TUNESMITH POOL-----\n")[2])
    assert site.service.reload()
    assert site.claim().pool_id == "pool-1"


def test_a_list_that_was_placed_into_the_build_counts(site):
    from tunesmith.licensing.contents import Revocation

    listed = site.desk.revocations(Revocation("pool", "pool-1", None, NOW, "stolen"), number=1)
    service = Service(
        site.key, open_storage(site.folder / "x.db"), [site.pool_file], build=site.desk.build(revocations=listed)
    )
    site.opened.append(service)
    assert service.pools.by_id["pool-1"].revoked.reason == "stolen"


def test_a_folder_gets_one_key_and_keeps_it(tmp_path):
    make_key(tmp_path / "site")
    before = (tmp_path / "site" / "server.key").read_bytes()
    assert "left alone" in words(OutputError, make_key, tmp_path / "site")
    assert (tmp_path / "site" / "server.key").read_bytes() == before


def test_a_key_that_others_can_read_is_not_used(tmp_path):
    make_key(tmp_path)
    (tmp_path / "server.key").chmod(0o640)
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o640
    assert "others can read" in words(SettingsError, read_key, tmp_path)


def test_a_missing_or_foreign_key_says_what_to_do(tmp_path):
    assert "license-server init" in words(SettingsError, read_key, tmp_path)
    (tmp_path / "server.key").write_text("no key")
    (tmp_path / "server.key").chmod(0o600)
    assert "this is no key of a license server" in words(SettingsError, read_key, tmp_path)


def test_no_private_key_shows_in_its_representation(tmp_path):
    site = Site(tmp_path / "site")
    assert repr(site.key) == f"ServerKey({site.key.public.keyid[:16]}…)"
