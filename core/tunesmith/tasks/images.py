# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Pictures from wherever they come, as uint8 arrays; every file is treated as if a stranger had made it.

Shapes: H height, W width, C channels (1 gray, 3 RGB).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.rows import RowError
from tunesmith.tasks.resizing import resized

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Picture", "Pixels", "as_image", "as_pixels", "png_bytes", "read_picture"]

MOST_PIXELS = 64_000_000
"""Larger pictures are refused before they are decoded: a file of a few kilobytes can hold gigabytes of pixels."""
KEPT_PIXELS = 256 * 256
"""Pictures up to this size stay decoded in memory; larger ones are decoded again when they are encoded."""
# Formats that are decoded by Pillow itself: it would hand others (EPS) to programs on this machine.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was decoded once and found whole.

    Attributes:
        source: the pixels, uint8 (H, W, C); or the file or its bytes, where they are many.
        height: in pixels.
        width: in pixels.
        channels: 1 or 3.
    """

    source: Pixels | Path | bytes
    height: int
    width: int
    channels: int

    def pixels(
        self,
        height: int,
        width: int,
        channels: int,
        *,
        resize: tuple[int, int] | int | None = None,
        resample: str = "bilinear",
    ) -> Pixels:
        """uint8 (height, width, channels): resized, cropped at the center, and converted.

        Args:
            resize: before the crop: ``(height, width)``, or the length of the shorter side, proportions kept; 0: not
                resized. ``None``: to ``height`` × ``width`` at once, proportions not kept.
            resample: Pillow's name of the filter.

        Raises:
            RowError: the file changed and cannot be decoded any more.
        """
        pixels = self.source if isinstance(self.source, np.ndarray) else _decode(self.source)
        if resize is None and pixels.shape == (height, width, channels):
            return pixels
        image = as_image(pixels).convert("L" if channels == 1 else "RGB")
        return as_pixels(resized(image, (height, width), resize, resample))


def read_picture(value: Any, beside: Path | None = None) -> Picture:
    """Whatever a row holds as an image.

    Args:
        value: uint8 pixels (H, W) or (H, W, 1 | 3 | 4); the bytes of a file; a path; or a mapping with ``bytes``
            or ``path``, as Hugging Face datasets write it.
        beside: folder of the data file; a relative path that does not exist as it stands is looked up there.

    Raises:
        RowError: not an image, damaged, or too large; says which file.
    """
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    source: Path | bytes
    if isinstance(value, np.ndarray):
        pixels = _from_array(value)
        return Picture(pixels, *pixels.shape)
    if isinstance(value, (bytes, bytearray, memoryview)):
        source = bytes(value)
    elif isinstance(value, (str, Path)) and str(value).strip():
        source = _find(Path(value), beside)
    elif value is None or isinstance(value, str):
        raise RowError("image is missing" if value is None else "image is empty")
    else:
        raise RowError(f"image is of type {type(value).__name__}; a file, its bytes or uint8 pixels were expected")
    pixels = _decode(source)
    small = pixels.shape[0] * pixels.shape[1] <= KEPT_PIXELS
    return Picture(pixels if small else source, *pixels.shape)


def png_bytes(pixels: Pixels) -> bytes:
    """A PNG file of uint8 (H, W, C)."""
    buffer = io.BytesIO()
    as_image(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _find(path: Path, beside: Path | None) -> Path:
    try:
        if path.is_file():
            return path
        if beside is not None and not path.is_absolute() and (beside / path).is_file():
            return beside / path
    except (OSError, ValueError) as error:  # longer than any path, or with a NUL in it
        raise RowError(f"image is no path of a file: {getattr(error, 'strerror', None) or error}") from error
    also = f", nor in {beside}" if beside not in (None, Path()) and not path.is_absolute() else ""
    raise RowError(f"there is no image file {path}{also}")


def _decode(source: Path | bytes) -> Pixels:
    import PIL.Image
    from PIL import ImageOps

    name = str(source) if isinstance(source, Path) else f"an image of {len(source):,} bytes"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)  # judged below, by our own measure
            with PIL.Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise RowError(
                        f"{name} has {image.width:,} × {image.height:,} pixels; at most {MOST_PIXELS:,} are read"
                    )
                image.load()
                return as_pixels(_plain(ImageOps.exif_transpose(image)))
    except RowError:
        raise
    except PIL.Image.DecompressionBombError as error:
        raise RowError(f"{name} has too many pixels; at most {MOST_PIXELS:,} are read") from error
    except PIL.UnidentifiedImageError as error:
        raise RowError(f"{name} is not an image of a known format ({', '.join(FORMATS)})") from error
    except Exception as error:  # Pillow's decoders raise of everything on damaged files
        raise RowError(f"{name} is damaged: {error}") from error


def _plain(image: Image) -> Image:
    """Gray or RGB with 8 bits per channel; transparency is dropped."""
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow's own conversion clips 16 bits to 255; scale instead, so that scans stay pictures.
        deep = np.asarray(image, dtype=np.float64)
        if deep.max(initial=0) > 255:
            deep = deep / 257
        from PIL.Image import fromarray

        return fromarray(deep.clip(0, 255).astype(np.uint8))
    return image.convert("L" if image.mode in ("1", "L", "LA", "La") else "RGB")


def _from_array(value: np.ndarray[Any, Any]) -> Pixels:
    if value.dtype != np.uint8 or value.ndim not in (2, 3) or 0 in value.shape:
        raise RowError(f"image is an array of {value.dtype} {value.shape}; uint8 (H, W) or (H, W, C) was expected")
    if value.ndim == 2:
        return value[:, :, None]
    if value.shape[2] not in (1, 3, 4):
        raise RowError(f"image has {value.shape[2]} channels; 1, 3 or 4 were expected")
    return value[:, :, :3] if value.shape[2] == 4 else value


def as_image(pixels: Pixels) -> Image:
    """uint8 (H, W, 1 | 3) as Pillow's gray or RGB."""
    from PIL.Image import fromarray

    return fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))


def as_pixels(image: Image) -> Pixels:
    """Pillow's gray or RGB as uint8 (H, W, C)."""
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels
