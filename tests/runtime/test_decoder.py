"""Frames are decoded elsewhere, and whatever happens there, the next one is decoded."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import imagecodecs
import numpy as np
import psutil
import pytest

from covidct.runtime.decoder import decode

GREYS = np.random.default_rng(0).integers(0, 2000, (8, 64, 64)).astype(np.uint16)
FRAMES = [imagecodecs.jpeg2k_encode(greys, codecformat="j2k") for greys in GREYS]
J2K = "jpeg2k_decode"


def decoders() -> list[psutil.Process]:
    """Those that live: an ended child that nobody has waited for yet has no command line."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            found += [child] if "covidct.runtime.decoder" in child.cmdline() else []
    return found


def test_many_threads_get_their_own_frames():
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda frame: decode(J2K, frame), FRAMES * 5))
    assert all(map(np.array_equal, found, [*GREYS] * 5))
    assert len(decoders()) <= (os.cpu_count() or 1)


def test_a_decoder_that_ends_is_replaced():
    decode(J2K, FRAMES[0])
    for process in decoders():
        process.send_signal(signal.SIGSEGV)
        process.wait(60)
    assert not decoders()
    answers = []
    for _ in range(3 * (os.cpu_count() or 1)):
        try:
            answers.append(decode(J2K, FRAMES[1]))
        except ValueError as error:
            assert str(error) == "the decoder came to an end"
    assert answers
    assert all(np.array_equal(answer, GREYS[1]) for answer in answers)


def test_a_frame_that_takes_too_much_memory_is_refused_and_takes_none_here():
    side = 20_000
    frame = bytearray(imagecodecs.jpeg2k_encode(np.zeros((64, 64), np.uint8), codecformat="j2k"))
    for at in (8, 12, 24, 28):  # of the picture and of its only tile
        frame[at : at + 4] = side.to_bytes(4, "big")
    before = psutil.Process().memory_info().rss
    with pytest.raises(ValueError, match=r"damaged|came to an end"):
        decode(J2K, bytes(frame))
    assert psutil.Process().memory_info().rss - before < side * side / 2
    assert np.array_equal(decode(J2K, FRAMES[2]), GREYS[2])


def test_damaged_frames_are_refused_by_each_decoder():
    for name in (J2K, "jpegls_decode", "jpeg8_decode"):
        with pytest.raises(ValueError, match="damaged"):
            decode(name, b"\xff\xd8\xff\xd9")
