# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""THUCNews, topics of Chinese news: two readers, a dataset, and the command ``tunesmith thucnews``.

The plugin holds no text of the collection. It reads copies that people have got from its authors.
"""

__version__ = "0.1.0"

__all__: list[str] = []
