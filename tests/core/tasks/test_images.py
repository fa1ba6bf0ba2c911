# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tunesmith.data.rows import RowError
from tunesmith.tasks.images import png_bytes, read_picture

RED = np.zeros((4, 6, 3), dtype=np.uint8)
RED[..., 0] = 200


def encoded(pixels, kind="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind, **options)
    return buffer.getvalue()


def test_arrays_bytes_files_and_mappings_give_the_same_pixels(tmp_path):
    file = tmp_path / "red.png"
    file.write_bytes(encoded(RED))
    for value in (RED, encoded(RED), file, str(file), {"bytes": encoded(RED), "path": None}, {"path": str(file)}):
        picture = read_picture(value)
        assert (picture.height, picture.width, picture.channels) == (4, 6, 3)
        assert np.array_equal(picture.pixels(4, 6, 3), RED)


def test_gray_and_transparency():
    gray = read_picture(np.full((3, 2), 7, dtype=np.uint8))
    assert (gray.height, gray.width, gray.channels) == (3, 2, 1)
    assert np.array_equal(gray.pixels(3, 2, 3), np.full((3, 2, 3), 7))
    four = np.dstack([RED, np.full((4, 6), 9, dtype=np.uint8)])
    assert np.array_equal(read_picture(four).pixels(4, 6, 3), RED)
    assert np.array_equal(read_picture(encoded(four)).pixels(4, 6, 3), RED)


def test_sixteen_bits_are_scaled_not_clipped():
    deep = np.array([[0, 257 * 100], [257 * 200, 65535]], dtype=np.uint16)
    assert read_picture(encoded(deep)).pixels(2, 2, 1)[..., 0].tolist() == [[0, 100], [200, 255]]


def test_cameras_orientation_is_honoured():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_picture(encoded(RED, "JPEG", exif=exif)).height == 6


def test_resizing():
    assert read_picture(RED).pixels(8, 8, 3).shape == (8, 8, 3)
    assert read_picture(RED).pixels(8, 8, 1).shape == (8, 8, 1)


def test_a_strip_is_cropped_without_making_the_whole_of_it():
    strip = read_picture((np.arange(9_000) % 251).astype(np.uint8)[None])
    whole, part = 9_000 * 256, 256
    pixels = strip.pixels(part, part, 1, resize=256)
    middle = strip.pixels(1, 9_000, 1)[0, (whole // 2) // 256, 0]
    assert pixels.shape == (256, 256, 1)
    assert abs(int(pixels[128, 128, 0]) - int(middle)) <= 2


def test_pictures_smaller_than_the_crop_stand_on_black():
    white = read_picture(np.full((2, 3), 255, dtype=np.uint8)).pixels(5, 6, 1, resize=0)[..., 0]
    assert white.sum() == 6 * 255
    assert (white[2:4, 2:5] == 255).all()


def test_large_pictures_are_not_kept_decoded(tmp_path):
    file = tmp_path / "large.png"
    file.write_bytes(encoded(np.zeros((400, 300, 3), dtype=np.uint8)))
    picture = read_picture(file)
    assert picture.source == file
    file.write_bytes(b"gone")
    with pytest.raises(RowError, match=r"large.png is not an image"):
        picture.pixels(8, 8, 3)


def test_relative_paths_are_also_looked_up_beside_the_data(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(RED))
    assert read_picture("a.png", tmp_path).height == 4
    with pytest.raises(RowError, match=r"there is no image file b.png, nor in "):
        read_picture("b.png", tmp_path)


def bomb() -> bytes:
    """A PNG header that promises 30,000 × 30,000 pixels."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    rest = b"IDAT" + zlib.compress(b"")
    parts = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (chunk, rest)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "image is missing"),
        ("", "image is empty"),
        (3.5, "image is of type float; a file, its bytes or uint8 pixels were expected"),
        (b"no image", r"an image of 8 bytes is not an image of a known format"),
        (encoded(RED)[:-30], "is damaged"),
        (bomb(), r"too many pixels; at most 64,000,000 are read|30,000 × 30,000 pixels; at most 64,000,000"),
        (np.zeros((2, 2), dtype=np.float32), r"image is an array of float32 \(2, 2\); uint8 \(H, W\) or"),
        (np.zeros((2, 2, 5), dtype=np.uint8), "image has 5 channels; 1, 3 or 4 were expected"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image of a known format"),
    ],
)
def test_what_is_no_image_says_why(value, words):
    with pytest.raises(RowError, match=words):
        read_picture(value)


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
@settings(max_examples=80, deadline=None)
def test_damaged_files_give_pixels_or_a_row_error(place, junk):
    file = bytearray(encoded(RED))
    file[place % len(file) : place % len(file) + len(junk)] = junk
    try:
        pixels = read_picture(bytes(file)).pixels(4, 6, 3)
    except RowError as error:
        pixels = np.zeros((4, 6, 3)) if str(error) else None
    assert pixels is not None
    assert pixels.shape == (4, 6, 3)


def test_png_bytes_round_trip():
    assert np.array_equal(read_picture(png_bytes(RED)).pixels(4, 6, 3), RED)


@pytest.mark.parametrize("value", ["long " * 20_000, "a\0b"])
def test_text_that_can_be_no_path(value):
    with pytest.raises(RowError, match=r"image is no path of a file: |there is no image file"):
        read_picture(value)
