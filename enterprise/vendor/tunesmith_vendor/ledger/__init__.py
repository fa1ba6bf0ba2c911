# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The book of everything the desk ever signed: entries are added, chained by their hashes, and never changed.

There is nothing beside the entries. What is asked of the book (a license and its activations, what expires soon) is
read from them each time, so that no table can say something else than they do.
"""
