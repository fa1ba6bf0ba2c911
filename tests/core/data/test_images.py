# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Idx files and folders of images."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from tunesmith._plugins.builtin import tunesmith_readers
from tunesmith.data.readers import idx, image_folder
from tunesmith.errors import DataError

IMAGES = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4)


def _images(array=IMAGES) -> bytes:
    return struct.pack(">4B3I", 0, 0, 8, 3, *array.shape) + array.tobytes()


def _labels(values=(7, 0, 2)) -> bytes:
    return struct.pack(">4BI", 0, 0, 8, 1, len(values)) + bytes(values)


@pytest.mark.parametrize("packed", [False, True])
def test_images_find_their_labels(write, read_all, packed):
    path = write("t-images-idx3-ubyte" + ".gz" * packed, gzip.compress(_images()) if packed else _images())
    write("t-labels-idx1-ubyte", _labels())
    rows, _ = read_all(idx.read, path)
    assert [row.values["label"] for row in rows] == ["7", "0", "2"]
    assert [row.origin.line for row in rows] == [1, 2, 3]
    assert rows[2].values["image"].dtype == np.uint8
    np.testing.assert_array_equal(rows[2].values["image"], IMAGES[2])


def test_images_without_labels_are_enough_to_predict(write, read_all):
    rows, _ = read_all(idx.read, write("t-images-idx3-ubyte", _images()))
    assert [list(row.values) for row in rows] == [["image"]] * 3


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (_images()[:-1], _labels(), "the idx file is truncated"),
        (_images() + b"x", _labels(), "the idx file is too long"),
        (_images()[:9], _labels(), "truncated"),
        (b"", _labels(), "the file is empty"),
        (_labels(), _labels(), "expected: first bytes 00 00 08 03"),
        (gzip.compress(_images(), mtime=0), _labels(), "unpack it, or give it the ending .gz"),
        (_images(), _labels((1, 2)), "3 images, and 2 labels"),
        (_images(), _labels()[:-1], "expected: 11 bytes for 3"),
        (_images(IMAGES[:0]), _labels(()), "holds nothing"),
    ],
)
def test_broken_idx_files(write, read_all, images, labels, words):
    path = write("t-images-idx3-ubyte", images)
    write("t-labels-idx1-ubyte", labels)
    with pytest.raises(DataError, match="ubyte") as caught:
        read_all(idx.read, path)
    assert words in str(caught.value)


def test_the_file_of_labels_alone_names_its_images(write, read_all):
    with pytest.raises(DataError, match="give t-images-idx3-ubyte"):
        read_all(idx.read, write("t-labels-idx1-ubyte", _labels()))


def test_a_folder_of_labels_is_read_in_order(write, tmp_path, read_all):
    for name in ("dog/2.JPG", "cat/b.png", "cat/a.webp", ".hidden/x.png", "cat/Thumbs.db", "README.txt"):
        write(f"pets/{name}", b"x")
    rows, problems = read_all(image_folder.read, tmp_path / "pets")
    assert problems == []
    assert [(row.values["image"].name, row.values["label"]) for row in rows] == [
        ("a.webp", "cat"),
        ("b.png", "cat"),
        ("2.JPG", "dog"),
    ]


def test_what_is_no_image_in_a_label_is_a_problem(write, tmp_path, read_all):
    for name in ("cat/a.png", "cat/notes.txt", "dog/deeper/a.png"):
        write(f"pets/{name}", b"x")
    (tmp_path / "pets" / "empty").mkdir()
    _, problems = read_all(image_folder.read, tmp_path / "pets")
    messages = "\n".join(map(str, problems))
    assert "notes.txt: not an image, by its ending" in messages
    assert "deeper: a folder inside a label's folder" in messages
    assert "empty: the folder of this label holds no images" in messages


def test_loose_images_have_no_label_and_do_not_mix(write, tmp_path, read_all):
    write("pets/a.png", b"x")
    rows, _ = read_all(image_folder.read, tmp_path / "pets")
    assert [list(row.values) for row in rows] == [["image"]]
    write("pets/cat/b.png", b"x")
    with pytest.raises(DataError, match="both in the folder itself and in folders of labels"):
        read_all(image_folder.read, tmp_path / "pets")


def test_an_image_file_is_one_row_without_a_label(write, read_all):
    file = write("cat.jpg", b"x")
    rows, problems = read_all(image_folder.read, file)
    assert problems == []
    assert [(dict(row.values), str(row.origin)) for row in rows] == [({"image": file}, str(file))]


def test_every_ending_of_a_folder_is_also_that_of_a_file():
    spec = next(spec for spec in tunesmith_readers() if spec.name == "images")
    assert set(spec.suffixes) == image_folder.SUFFIXES
