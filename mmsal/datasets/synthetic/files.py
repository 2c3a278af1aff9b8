"""The files of one clip: video and truth masks, each there whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from .scene import FPS

QUANTIZER = '1'  # the finest of MPEG-4; about 4 kB a frame, as KTH's own files


class Truth(NamedTuple):
    """Where the person is; see :func:`read_truth`."""

    body: np.ndarray
    legs: np.ndarray


def replace_with(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file in the same folder and move it to ``path``.

    Args:
        path: Where the file shall be. It is there whole, or not at all.
        write: Gets the temporary path; its suffix is that of ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.stem}.part{path.suffix}')
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_video(frames: np.ndarray, path: str | Path) -> None:
    """Write grey frames as MPEG-4 in AVI, 25 frames per second, chroma neutral.

    Args:
        frames: ``[T, H, W]`` uint8 grey levels, 0 to 255; H and W even.
        path: The file; replaced if it exists.
    """
    # Video luma runs from 16 to 235; decoders stretch it back to 0 to 255.
    luma = np.rint(np.arange(256) * (219 / 255) + 16).astype(np.uint8)[frames]
    height, width = frames.shape[1:]
    chroma = np.full((height // 2, width), 128, np.uint8)

    def write(temporary: Path) -> None:
        # Bitexact: no library version in the header, so that the same frames give the same bytes.
        # More threads would cut the picture into slices, one per core.
        codec = {'flags': '+bitexact', 'threads': '1', 'qmin': QUANTIZER, 'qmax': QUANTIZER}
        muxer = {'fflags': '+bitexact'}
        with av.open(str(temporary), 'w', format='avi', options=muxer) as container:
            video = container.add_stream('mpeg4', rate=FPS, options=codec)
            video.width, video.height, video.pix_fmt = width, height, 'yuv420p'
            for picture in luma:
                planes = np.concatenate([picture, chroma])
                frame = av.VideoFrame.from_ndarray(planes, format='yuv420p')
                container.mux(video.encode(frame))
            container.mux(video.encode())

    replace_with(Path(path), write)


def write_truth(truth: Truth, path: str | Path) -> None:
    """Write masks as ``.npz``, eight pixels to a byte and compressed.

    Args:
        truth: Masks of one clip.
        path: The file; replaced if it exists.
    """

    def write(temporary: Path) -> None:
        np.savez_compressed(
            temporary,
            shape=np.array(truth.body.shape),
            body=np.packbits(truth.body),
            legs=np.packbits(truth.legs),
        )

    replace_with(Path(path), write)


def read_truth(path: str | Path) -> Truth:
    """Read the masks of a synthetic clip.

    Args:
        path: A file of the folder ``truth``.

    Returns:
        ``body`` and ``legs``, both ``[T, H, W]`` bool: the pixels of every frame of the video in
        which the person, or one of the legs from hip to toe, is visible at least in part. ``legs``
        lies within ``body``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as packed:
            shape = tuple(int(n) for n in packed['shape'])
            masks = (
                np.unpackbits(packed[key], count=int(np.prod(shape))).reshape(shape).astype(bool)
                for key in ('body', 'legs')
            )
            return Truth(*masks)
    except (KeyError, TypeError, EOFError, zipfile.BadZipFile, ValueError) as error:
        raise ValueError(f'{path}: not a truth file of a synthetic clip ({error})') from None
