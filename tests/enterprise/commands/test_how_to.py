# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""docs/how-to/license.md: every command on the page is run, in its order, as a customer of the tests' vendor."""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path
from typing import Any

from desk import NOW

from tunesmith.licensing import dearmor, sign
from tunesmith.licensing.contents import ActivationResponse, Binding, read_activation_request, read_usage_report

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"# exit code (\d+)$")


def answered(customer: Any) -> None:
    """What the vendor does between `request` and `activate`."""
    asked = read_activation_request(dearmor((customer.folder / "request.txt").read_text(), "activation-request"))
    bound = customer.desk.license(license_id=asked.license_id, binding=Binding("install-id", (asked.install_id,)))
    response = ActivationResponse(
        product=asked.product,
        install_id=asked.install_id,
        nonce=asked.nonce,
        license_id=asked.license_id,
        serial=1,
        license_sha256=hashlib.sha256(bound).hexdigest(),
        made_at=NOW,
    )
    customer.file("answer.txt", sign(response.payload(), "activation-response", [customer.desk.issuer]), bound)


def test_what_the_page_says_works(customer: Any, root: Path) -> None:
    features = {"distributed": {"gpus": 8}, "governance": {}}
    customer.file("example.lic", customer.desk.root(), customer.desk.license(features=features))
    page = (root / "docs" / "how-to" / "license.md").read_text(encoding="utf-8")
    lines = [line for block in BLOCK.findall(page) for line in block.splitlines() if line.startswith("$ ")]
    assert len(lines) > 15
    for line in lines:
        program, group, *args = shlex.split(line[2:], comments=True)
        assert (program, group) == ("tunesmith", "license")
        if args[0] == "activate":
            answered(customer)
        expected = int(found[1]) if (found := EXIT.search(line)) else 0
        assert customer.run(*args) == expected, f"{line}\n{customer.out}{customer.err}"
    assert customer.kept() == []
    assert read_usage_report(dearmor((customer.folder / "use.txt").read_text(), "usage-report"))
