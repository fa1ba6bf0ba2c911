# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Nothing is deprecated today, so these deprecate things of their own."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

import tunesmith
from tunesmith import _deprecated
from tunesmith._deprecated import Deprecation, TunesmithDeprecationWarning, deprecated, deprecations, overdue
from tunesmith._plugins import Host, collect
from tunesmith._plugins.discover import Candidate
from tunesmith.plugin import ReaderSpec, hookimpl

OLD = Deprecation("tunesmith.old()", "0.3", "0.5", "tunesmith.new()")
TEXT = r"tunesmith.old\(\) is deprecated since 0.3 and goes in 0.5; use tunesmith.new\(\)"


def test_nothing_outstays_its_release() -> None:
    """Fails when the version reaches a release in which something was to go: remove it, with its deprecation."""
    late = overdue(deprecations(), tunesmith.__version__)

    assert not late, "; ".join(map(str, late))


@pytest.mark.parametrize(
    ("version", "due"),
    [("0.4.9", False), ("0.5.0.dev1", True), ("0.5.0rc1", True), ("0.5", True), ("0.5.1", True), ("1.0", True)],
)
def test_a_deprecation_is_overdue_from_its_release_on(version: str, due: bool) -> None:
    assert overdue([OLD], version) == ([OLD] if due else [])


def test_a_deprecation_is_remembered_and_leaves_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deprecated, "_known", [])

    made = deprecated("tunesmith.old()", since="0.3", removed_in="0.5", use="tunesmith.new()")

    assert made in deprecations()
    with pytest.raises(ValueError, match=r"removed_in must be later than since, given since 0.3 and removed_in 0.3.0"):
        deprecated("tunesmith.old()", since="0.3", removed_in="0.3.0", use="tunesmith.new()")
    assert deprecations() == (made,)


def test_a_function_warns_where_it_is_called() -> None:
    @OLD.function
    def old(number: int) -> int:
        """What it does."""
        return number + 1

    with pytest.warns(TunesmithDeprecationWarning, match=TEXT) as told:
        assert old(2) == 3
    assert told[0].filename == __file__
    assert (old.__name__, old.__doc__) == ("old", "What it does.")


def test_an_argument_warns_only_when_it_is_given() -> None:
    @OLD.argument("quick", becomes="fast")
    def load(name: str, *, fast: bool = False) -> tuple[str, bool]:
        return name, fast

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load("a", fast=True) == ("a", True)
    with pytest.warns(TunesmithDeprecationWarning, match=TEXT) as told:
        assert load("a", quick=True) == ("a", True)  # type: ignore[call-arg]
    assert told[0].filename == __file__
    with pytest.warns(TunesmithDeprecationWarning), pytest.raises(TypeError, match="both 'fast' and 'quick'"):
        load("a", fast=True, quick=True)  # type: ignore[call-arg]


def test_an_argument_that_goes_without_a_successor_still_counts() -> None:
    @OLD.argument("quick")
    def load(*, quick: bool = False) -> bool:
        return quick

    with pytest.warns(TunesmithDeprecationWarning, match=TEXT):
        assert load(quick=True)


def test_a_field_of_a_spec_warns_where_the_spec_is_made() -> None:
    @dataclass(frozen=True)
    class Spec:
        name: str
        label: str | None = None

        def __post_init__(self) -> None:
            if self.label is not None:
                OLD.tell(f"Spec({self.name!r})", level=3)  # past the __init__ that the decorator makes

    Spec("a")
    with pytest.warns(TunesmithDeprecationWarning, match=r"Spec\('a'\): " + TEXT) as told:
        Spec("a", label="b")
    assert told[0].filename == __file__


@pytest.fixture
def _renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tunesmith_readers` was `tunesmith_raeders` once."""
    old = Deprecation("the hook tunesmith_raeders", "0.3", "0.5", "tunesmith_readers")
    monkeypatch.setattr(collect, "OLD_HOOKS", {"tunesmith_raeders": ("tunesmith_readers", old)})


def plugin(**hooks: object) -> Candidate:
    made = SimpleNamespace(**hooks)
    return Candidate(
        name="audit", distribution="tunesmith-audit", version="1.0", target="a.b", requires=(), load=lambda: made
    )


def reader(name: str) -> object:
    return hookimpl(lambda: [ReaderSpec(name=name, summary="Some", target="a.b:read")])


@pytest.mark.usefixtures("_renamed")
def test_a_hook_under_its_old_name_is_asked_with_a_warning_that_names_the_plugin() -> None:
    text = "the plugin 'audit': the hook tunesmith_raeders is deprecated since 0.3 and goes in 0.5"
    with pytest.warns(TunesmithDeprecationWarning, match=text):
        host = Host([plugin(tunesmith_raeders=reader("old"))], environ={})

    assert [record.status for record in host.records] == ["ok", "ok"]
    assert [one.full_name for one in host.specs("reader") if one.plugin == "audit"] == ["audit/old"]


@pytest.mark.usefixtures("_renamed")
def test_a_plugin_that_has_both_names_is_asked_once_and_not_warned() -> None:
    both = plugin(tunesmith_raeders=reader("old"), tunesmith_readers=reader("new"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        host = Host([both], environ={})

    assert [one.full_name for one in host.specs("reader") if one.plugin == "audit"] == ["audit/new"]


def test_without_a_deprecation_the_old_name_is_unknown() -> None:
    host = Host([plugin(tunesmith_raeders=reader("old"))], environ={})

    assert host.records[1].reason == "unknown hook 'tunesmith_raeders'; did you mean 'tunesmith_readers'?"
