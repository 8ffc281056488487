from dataclasses import replace

import cv2
import numpy as np
import pytest

from covidct.errors import NotALungSlice, UnreadableSlice
from covidct.imaging.anatomy.gate import (
    OUTSIDE_USE,
    Measures,
    check_lung_slice,
    gate,
    measure,
    past_gate,
)
from covidct.imaging.chest_drawing import AIR, FAT, MUSCLE, SIDE, clouds, ellipse, paint
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.dicom.window import Window
from covidct.imaging.phantom import phantom_slice
from covidct.imaging.readers import read_slice

Y, X = np.mgrid[0:300, 0:400].astype(np.float32)


def accepted_share(files):
    verdicts = []
    for file in files:
        try:
            verdicts.append(gate(read_slice(file)).accepted)
        except NotALungSlice:
            raise
        except UnreadableSlice:
            continue
    return np.mean(verdicts)


def noise(scale):
    grains = np.random.default_rng(round(scale)).standard_normal((300, 400)).astype(np.float32)
    smooth = cv2.GaussianBlur(grains, (0, 0), scale)
    return np.rint(255 * (smooth - smooth.min()) / np.ptp(smooth))


def page():
    pixels = np.full((400, 300), 255, np.uint8)
    for row in range(30, 380, 22):
        cv2.putText(pixels, "The quick brown fox", (20, row), 0, 0.7, 0, 2)
    return pixels


def x_ray():
    """Soft-edged lungs, taller than wide, under ribs."""
    picture = 150 + 40 * np.cos((X - 200) / 130)
    for side in (-1, 1):
        radius = np.hypot((X - 200 - 85 * side) / 62, (Y - 140) / 115)
        picture -= 75 / (1 + np.exp(9 * (radius - 1)))
    return picture + 9 * np.sin(Y / 9 + np.abs(X - 200) / 40)


def head(window):
    values = np.full((SIDE, SIDE), AIR, np.float32)
    for depth, tissue in ((0, 40), (0.05, 800), (0.12, 35)):
        paint(values, ellipse(0, 0, 0.6 - depth, 0.78 - depth), tissue)
    for side in (-1, 1):
        paint(values, ellipse(side * 0.09, -0.05, 0.05, 0.2, 15 * side), 5)
    return window.apply(values + 5 * clouds(np.random.default_rng(0), 3))


def abdomen(window):
    values = np.full((SIDE, SIDE), AIR, np.float32)
    for depth, tissue in ((0, 20), (0.012, FAT), (0.09, MUSCLE)):
        paint(values, ellipse(0, 0, 0.9 - depth, 0.65 - depth, power=2.3), tissue)
    paint(values, ellipse(-0.45, -0.05, 0.3, 0.38), 60)
    paint(values, ellipse(0.3, -0.3, 0.1, 0.06), -800)
    paint(values, ellipse(0, 0.4, 0.12, 0.11), 300)
    return window.apply(values + 12 * clouds(np.random.default_rng(0), 3))


def screenshot():
    """Two dark even panes, side by side in a bright window beside a list and lines of text."""
    canvas = np.full((400, 640), 245, np.uint8)
    canvas[:, :150] = 215
    for row in range(30, 390, 18):
        cv2.putText(canvas, "a list of files and folders"[: 9 + row % 19], (170, row), 0, 0.45, 20)
    canvas[100:250, 200:350], canvas[100:250, 400:560] = 128, 100
    return canvas


SOFT, LUNG, BRAIN = Window(40, 400), Window(-600, 1500), Window(40, 80)
OTHERS = {
    "black but for a dot": np.where(np.hypot(X - 200, Y - 150) < 3, 255, 0),
    "a ramp": X / 400 * 255,
    "fine noise": noise(1),
    "noise": noise(8),
    "clouds": noise(30),
    "a chessboard": 255 * ((X // 40 + Y // 40) % 2),
    "a page of text": page(),
    "a screenshot": screenshot(),
    "a dark ball on a bright table": np.where(np.hypot(X - 200, Y - 150) < 90, 40, 200),
    "a loaf": np.where(np.hypot((X - 200) / 180, (Y - 150) / 55) < 1, 50, 190),
    "an X-ray": x_ray(),
    "an X-ray on its side": x_ray().T,
    "a head": head(BRAIN),
    "a head, soft tissue": head(SOFT),
    "an abdomen": abdomen(SOFT),
    "an abdomen, lung window": abdomen(LUNG),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_lung_slice_is_refused_with_a_sentence(name):
    verdict = gate(CTSlice(np.clip(OTHERS[name], 0, 255).astype(np.uint8)))
    assert not verdict.accepted
    assert verdict.reason.endswith(".")


def test_synthetic_slices_pass_at_every_size(phantoms):
    assert all(gate(phantom.ct_slice).accepted for phantom in phantoms)
    for size in (64, 96, 160, (160, 240), 512, 1100):
        assert gate(phantom_slice(3, 4, size).ct_slice).accepted, size


def test_brightness_margin_letters_and_window_are_forgiven(phantoms):
    for phantom in phantoms[4:]:
        pixels = phantom.ct_slice.pixels
        dimmed = (pixels * 0.5 + 60).astype(np.uint8)
        page = cv2.copyMakeBorder(pixels, 30, 60, 20, 40, cv2.BORDER_CONSTANT, value=255)
        letters = cv2.putText(pixels.copy(), "R 12", (5, 25), 0, 0.7, 255, 2)
        mediastinal = np.clip((pixels.astype(float) - 170) * 4, 0, 255).astype(np.uint8)
        for changed in (dimmed, page, letters, mediastinal):
            assert gate(CTSlice(changed)).accepted


@pytest.mark.parametrize("gap", [0, 12])
@pytest.mark.parametrize("axis", [0, 1])
def test_several_slices_in_a_row_are_not_judged_as_one(phantoms, gap, axis):
    first, second = (phantom.ct_slice.pixels for phantom in phantoms[4:6])
    between = np.full_like(first, 255).take(range(gap), axis)
    assert not gate(CTSlice(np.concatenate([first, between, second], axis))).accepted


def test_who_shows_two_slices_side_by_side_is_told_to_crop(phantoms):
    pixels = phantoms[4].ct_slice.pixels
    tight = pixels[40:-40]
    assert gate(CTSlice(tight)).accepted
    for side_by_side in ([pixels, pixels], [tight, tight]):
        assert "crop each" in gate(CTSlice(np.hstack(side_by_side))).reason


@pytest.mark.parametrize("gap", [0, 12])
def test_who_shows_two_rows_of_two_slices_is_told_to_crop(phantoms, gap):
    pictures = [phantom.ct_slice.pixels for phantom in phantoms[:4]]
    framed = [cv2.copyMakeBorder(p, 0, gap, 0, gap, cv2.BORDER_CONSTANT) for p in pictures]
    sheet = np.vstack([np.hstack(framed[:2]), np.hstack(framed[2:])])
    assert "Crop each" in gate(CTSlice(sheet)).reason


def test_measures_are_those_of_the_picture_not_of_its_size(phantoms):
    pixels = phantoms[1].ct_slice.pixels
    large = cv2.resize(pixels, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    once, thrice = (
        measure(figure.grey, figure.lungs)
        for figure in (CTSlice(pixels).figure, CTSlice(large).figure)
    )
    for name in ("separation", "likeness", "filling", "width", "aspect"):
        assert getattr(once, name) == pytest.approx(getattr(thrice, name), abs=0.05)


def figure(lungs, grey=None):
    """Lungs, bool (240, 300), of grey 60 in tissue of 180 unless greys are given."""
    grey = np.where(lungs, 60, 180) if grey is None else grey
    return grey.astype(np.uint8), lungs


def rectangles(left=30):
    """Two lungs of 100 × 120 pixels, 40 apart."""
    lungs = np.zeros((240, 300), bool)
    lungs[60:180, left : left + 100] = lungs[60:180, left + 140 : left + 240] = True
    return lungs


def test_lengths_and_shares_of_two_rectangles_are_as_worked_out_by_hand():
    found = measure(*figure(rectangles()))
    assert (found.width, found.depth) == (240 / 300, 120 / 300)
    assert (found.aspect, found.elongation) == (120 / 240, 300 / 240)
    # Of 41 columns in the middle one shows lung, on average 200 of 240 do; hull: 240 × 120
    assert found.filling == pytest.approx(1 / 41 / (200 / 240) * (200 / 240))
    assert found.separation == pytest.approx(1)
    assert (found.roughness, found.quarters) == (0, 0)
    assert measure(*figure(np.zeros((240, 300), bool))) is None


@pytest.mark.parametrize(("aside", "fills"), [(0, True), (30, True), (44, True), (46, False)])
def test_lungs_far_aside_are_one_lung(aside, fills):
    lungs = np.zeros((240, 300), bool)
    lungs[60:180, 110 + aside : 190 + aside] = True
    assert measure(*figure(lungs)).filling == pytest.approx(1 if fills else 0)


def test_two_lungs_around_heart_and_spine_are_like_the_drawing():
    y, x = np.mgrid[-1:1:180j, -1:1:240j]
    body = np.abs(x) ** 2.4 + np.abs(y) ** 2.4 < 1
    heart, spine = np.hypot(x / 0.35, (y + 0.2) / 0.5) < 1, (np.abs(x) < 0.1) & (y > 0.2)
    likeness = []
    for shown in (body & ~heart & ~spine, body & ~heart, body, body & ~(np.abs(x) > 0.5)):
        lungs = np.zeros((240, 300), bool)
        lungs[30:210, 30:270] = shown
        likeness.append(measure(*figure(lungs)).likeness)
    assert likeness[0] > 0.92
    assert likeness == sorted(likeness, reverse=True)


def test_derived_measures_are_as_worked_out_by_hand():
    some = Measures(0.9, 0.3, 0.005, 0.6, 0.2, 0.8, 0.5, 0.625, 1.25, 0)
    assert some.arrangement == pytest.approx(0.4)
    assert some.breadth == 2
    assert some.drawn_likeness == some.likeness
    assert replace(some, roughness=0.008).drawn_likeness == 1


def test_a_fifth_of_colour_is_allowed(phantoms):
    for share, is_allowed in ((0.2, True), (0.21, False)):
        coloured = replace(phantoms[0].ct_slice, colour_share=share)
        assert gate(coloured).accepted == is_allowed


def test_a_coloured_picture_is_refused_and_coloured_marks_are_not(phantoms):
    def encoded(share):
        colours = np.repeat(phantoms[0].ct_slice.pixels[..., None], 3, axis=2)
        colours[: round(share * len(colours))] = (0, 60, 200)
        return cv2.imencode(".png", colours)[1].tobytes()

    photograph, marked = read_slice(encoded(0.4)), read_slice(encoded(0.03))
    assert photograph.colour_share == pytest.approx(0.4, abs=0.01)
    assert "coloured" in gate(photograph).reason
    assert gate(marked).accepted


def test_a_refusal_can_be_overruled_and_is_then_noted(phantoms):
    refused = CTSlice(np.zeros((90, 90), np.uint8), notes=("Read.",))
    with pytest.raises(NotALungSlice) as refusal:
        check_lung_slice(refused)
    assert past_gate(refused).notes == (f"{OUTSIDE_USE} {refusal.value}", "Read.")
    accepted = phantoms[0].ct_slice
    assert check_lung_slice(accepted) is accepted
    assert past_gate(accepted).notes == accepted.notes


def test_every_photograph_and_x_ray_is_refused_and_nearly_every_one_in_grey_too(covid_ct):
    files = sorted((covid_ct.parent / "not-ct").glob("*/*"))
    assert len(files) == 37
    slices = [read_slice(file) for file in files]
    assert not any(gate(one).accepted for one in slices)
    assert sum(gate(CTSlice(one.pixels.copy())).accepted for one in slices) <= 1


def test_nearly_every_real_slice_passes(covid_ct):
    assert accepted_share((covid_ct / "Images-processed").glob("*/*")) >= 0.98
    for source, step in (("SARS-CoV-2-CT/*", 3), ("kaggle-lungs/CT_NonCOVID", 3)):
        assert accepted_share(sorted(covid_ct.parent.glob(f"{source}/*"))[::step]) >= 0.98
    # Every slice of a patient, those at the ends of the lungs among them, contrast equalised
    assert accepted_share(sorted(covid_ct.parent.glob("coronacases/slices/*"))[::4]) >= 0.92


def test_most_squares_of_four_real_slices_are_refused(covid_ct):
    passed = []
    for folder in (covid_ct / "Images-processed", covid_ct.parent / "SARS-CoV-2-CT"):
        slices = (read_slice(file) for file in sorted(folder.glob("*/*"))[::12])
        pictures = [cv2.resize(one.pixels, (320, 256)) for one in slices if gate(one).accepted]
        for four in zip(*[iter(pictures)] * 4, strict=False):
            sheet = np.vstack([np.hstack(four[:2]), np.hstack(four[2:])])
            passed.append(gate(CTSlice(sheet)).accepted)
    assert len(passed) >= 20
    assert np.mean(passed) < 0.25


def test_of_a_series_exactly_the_slices_with_lungs_pass(covid_ct):
    series = covid_ct.parent / "dicom-ct-series"
    for file in sorted((series / "series").iterdir()):
        drawn = cv2.imread(str(series / "lung-masks" / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE)
        share = np.mean(drawn > 0)
        if share > 0.03 or share < 0.002:
            assert gate(read_slice(file)).accepted == (share > 0.03), file.stem


def test_ct_of_another_region_is_never_called_a_photograph():
    noise = np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8)
    with pytest.raises(NotALungSlice, match="No lungs on this slice"):
        check_lung_slice(CTSlice(noise, source="DICOM"))
