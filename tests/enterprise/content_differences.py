# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Where docs/reference/licenses.schema.json takes a payload that we refuse, and why: reasons to the ids of vectors.

There is no difference the other way round: whatever the schema refuses, the reader refuses as well.
"""

NO_ENVELOPE = {
    "license-stranger",
    "license-as-pool",
    "license-changed",
    "pool-of-server",
    "lease-of-stranger",
    "lease-as-license",
    "activation-request-other-key",
    "usage-report-other-key",
}
"""Not signed by whom it should be, or as something else. securesystemslib refuses them as well."""

_KINDS = (
    "license",
    "pool",
    "lease",
    "revocations",
    "activation-request",
    "activation-response",
    "usage-report",
)
_INTEGERS = (
    "license-serial",
    "license-limit",
    "pool-serial",
    "pool-seats",
    "pool-lease_seconds",
    "pool-offline_hours",
    "pool-borrow_days",
    "pool-grace_days",
    "lease-serial",
    "revocations-number",
    "revocations-revoked-0-up_to",
    "activation-response-serial",
    "usage-report-used-0-jobs",
    "usage-report-used-0-most-gpus",
    "usage-report-journal-entries",
)

DIFFERENCES = {
    "to JSON Schema 1.0 is an integer; here a number has one writing": {
        *(f"{kind}-schema-fraction" for kind in _KINDS),
        *(f"{name}-fraction" for name in _INTEGERS),
    },
    "Python's JSON takes the last of two equal names, and the schema does not see the first": {
        f"{kind}-name-twice" for kind in _KINDS
    },
    "Python's JSON takes NaN, and to the schema it is a field like another": {"license-nan"},
    "a pattern knows no calendar": {"license-moment-february-30", "license-moment-february-29"},
    "JSON Schema compares no two fields": {
        "license-ends-at-start",
        "license-ends-before-start",
        "pool-ends-at-start",
        "lease-no-time",
        "usage-report-until-before",
        "usage-report-until-since",
    },
    "a pattern knows neither Unicode's form NFC nor all of its categories": {
        "license-name-decomposed",
        "license-name-tag",
    },
    "a pattern knows nothing of points on a curve": {
        "license-oem-key-low-order",
        "license-oem-key-second-writing",
        "pool-key-low-order",
        "activation-request-key-low-order",
        "usage-report-key-low-order",
    },
    "the schema counts all fields together, the reader those that it does not know": {"license-fields-65"},
}
