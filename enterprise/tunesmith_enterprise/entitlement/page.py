# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Makes docs/reference/license-states.md from the table: ``python -m tunesmith_enterprise.entitlement.page``."""

from __future__ import annotations

from typing import Final

from tunesmith_enterprise.entitlement.features import FEATURES, QUANTITIES, STATES
from tunesmith_enterprise.optimizations.dates import OPTIMIZATIONS

__all__ = ["page"]

_HEAD: Final = """\
<!--
SPDX-FileCopyrightText: 2026 The Tunesmith authors
SPDX-License-Identifier: MIT
-->
<!-- Made from the table in the code, by `python -m tunesmith_enterprise.entitlement.page`; edit that. -->
# What each state of a license means

Nothing of the MIT core asks for a license: training, evaluating, serving, exporting and everything else that one
person needs on one machine is the same in every state below. A job asks once, when it begins. What has begun is never
stopped, and a run that has begun can be resumed in every state. Whatever a licensed feature wrote, the MIT core reads.

`tunesmith license status` says in which state things are, `tunesmith license simulate-expiry` what will change, and
when.
"""

_OPENING: Final = """\
## When optimizations open

Each optimization moves into the MIT core two years after the first release that has it, at the latest. From the day
below, as it begins in UTC, the one in the package needs no license either, in builds that are already out too: no
license is looked for. A published day may come nearer; it is never put off. `tunesmith license features` prints the
days.

| optimization | what it is | open to all from |
| --- | --- | --- |"""

_EFFECTS: Final = {"full": "yes", "kept": "what is set up", "off": "no"}


def page() -> str:
    """The page's text."""
    lines = [_HEAD, "## States", "", "| state | a license is in it when |", "| --- | --- |"]
    lines += [f"| {state} | {words} |" for state, words in STATES.items()]
    lines += ["", "Of several licenses the best state counts, from the top.", "", "## Features", ""]
    for feature in FEATURES.values():
        lines += [f"### {feature.title}: `{feature.code}`", "", "| state | new jobs | |", "| --- | --- | --- |"]
        lines += [
            f"| {state} | {_EFFECTS[meaning.effect]} | {meaning.words} |" for state, meaning in feature.meanings.items()
        ]
        lines.append("")
    lines += [_OPENING, *(f"| `{one.code}` | {one.title} | {one.opens} |" for one in OPTIMIZATIONS.values()), ""]
    lines += ["## Limits", "", "A license may limit for each feature:", "", "| quantity | counts |", "| --- | --- |"]
    lines += [f"| `{name}` | {words} |" for name, words in QUANTITIES.items()]
    lines += ["", "A quantity without a limit is not limited."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
