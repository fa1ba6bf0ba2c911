# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The license server: seats of a pool, lent to one job after the other at the customer's own site, without a network
to anybody else. The protocol stands in docs/reference/license-server.md.

::

    app       HTTP: bodies in, refusals and leases out
    service   what is asked, in order: pools, writer, key
    writer    commits what came together in one transaction
    seats     who may have one: all rules, on one transaction
    audit     what happened, chained, written in the same transaction
    storage   the database
    pools     what the vendor allows
    keys      the server's own key
"""
