# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Built-in file formats, one file each.

A reader is a function ``read(path, options) -> Iterator[Row | Problem]``: rows in the order of the file,
a :class:`~tunesmith.errors.Problem` for each row that cannot be used, and a
:class:`~tunesmith.errors.DataError` where the file as a whole cannot be.
"""
