# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from tunesmith._plugins.fitting import _plainly_met, misfit

releases = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda numbers: ".".join(map(str, numbers)))
versions = releases | st.builds("{}{}".format, releases, st.sampled_from(["rc1", ".dev3", ".post1", "+local"]))
bounds = st.builds("{}{}{}".format, st.sampled_from([">=", "<=", ">", "<", "==", "!=", "~="]), st.just(" "), releases)
lines = st.builds("tunesmith{}{}".format, st.sampled_from(["", " "]), st.lists(bounds, max_size=3).map(",".join))


@settings(deadline=None, max_examples=500)
@given(lines, versions)
def test_the_quick_look_says_yes_only_where_packaging_does(line: str, version: str) -> None:
    try:
        allowed = Requirement(line).specifier.contains(version, prereleases=True)
    except ValueError:  # `~=1` is none
        assert not _plainly_met(line, version)
        return
    assert allowed or not _plainly_met(line, version)
    assert (misfit([line], version) == "") == allowed


def test_the_usual_line_needs_no_packaging() -> None:
    code = (
        "import sys; from tunesmith._plugins.fitting import misfit;"
        "lines = ['tunesmith>=0.1,<0.2', 'numpy>=1', 'tunesmith[serve]>=9; extra == \"serve\"'];"
        "assert misfit(lines, '0.1.0') == ''; print('packaging' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


def test_what_only_an_extra_asks_for_does_not_count_and_other_markers_are_read() -> None:
    assert misfit(["tunesmith[serve]>=9; extra == 'serve'"], "0.1.0") == ""
    assert misfit(["tunesmith>=9; python_version < '3'"], "0.1.0") == ""
    assert "needs tunesmith>=9" in misfit(["tunesmith>=9; python_version > '3'"], "0.1.0")
    assert "needs tunesmith>=9" in misfit(["tunesmith>=9; python_version > '3' or extra == 'x'"], "0.1.0")


def test_a_trailing_comma_or_rubbish_is_left_to_packaging() -> None:
    assert not _plainly_met("tunesmith>=0.1,", "0.1.0")
    assert "cannot be read" in misfit(["tunesmith>=,"], "0.1.0")
