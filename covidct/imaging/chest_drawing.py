"""The drawing of a chest in axial section, in Hounsfield units, on a square of `SIDE` pixels.

Coordinates run from -1 to 1, x to the patient's left and y to the back. A cover is a float32
(SIDE, SIDE) array that says how much of a pixel, 0 to 1, a thing takes up.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

SIDE = 512
AIR, FAT, MUSCLE, BLOOD, MARROW, BONE = -1000, -100, 55, 45, 190, 650
LIFT = -0.04  # how far the chest lies in front of the body's middle
Y, X = np.meshgrid(*2 * [np.linspace(-1, 1, SIDE, dtype=np.float32)], indexing="ij")
_FINE = 3  # vessels are drawn so many times larger than they are shown
_HILUM = 0.14, 0.02  # of the left lung
_DOTS, _TWIGS = 70, 30
_THINNEST = 0.7  # pixels


def paint(values: np.ndarray, cover: np.ndarray, density: float | np.ndarray) -> None:
    """Give values a density, in place, as far as the cover says."""
    values += cover * (density - values)


def ellipse(
    x: float, y: float, rx: float, ry: float, degrees: float = 0, power: float = 2
) -> np.ndarray:
    """Cover of a (super-)ellipse, float32 (SIDE, SIDE), its edge one pixel soft."""
    turn = np.deg2rad(degrees)
    reach = np.hypot(rx, ry) * (1 + 1 / (min(rx, ry) * SIDE))
    rows, columns = (
        slice(*np.searchsorted(axis, (middle - reach, middle + reach)))
        for axis, middle in ((Y[:, 0], y), (X[0], x))
    )
    right, down = X[rows, columns] - x, Y[rows, columns] - y
    u = right * np.cos(turn) + down * np.sin(turn)
    v = down * np.cos(turn) - right * np.sin(turn)
    radius = (np.abs(u / rx) ** power + np.abs(v / ry) ** power) ** (1 / power)
    cover = np.zeros((SIDE, SIDE), radius.dtype)
    cover[rows, columns] = np.clip((1 - radius) * min(rx, ry) * SIDE / 2 + 0.5, 0, 1)
    return cover


def clouds(rng: np.random.Generator, scale: float) -> np.ndarray:
    """Smooth noise of mean 0 and deviation 1 whose grains measure `scale` pixels."""
    cells = max(4, round(SIDE / scale))
    grains = rng.standard_normal((cells, cells)).astype(np.float32)
    noise = cv2.resize(grains, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return (noise - noise.mean()) / noise.std()


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))


def draw_body(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Everything but the inside of the lungs, in Hounsfield units, and the cover of the lungs."""
    values = np.full((SIDE, SIDE), AIR, np.float32)
    rx, ry, fat = rng.uniform(0.86, 0.93), rng.uniform(0.66, 0.74), rng.uniform(0.02, 0.07)
    for depth, tissue in ((0, 20), (0.012, FAT), (0.012 + fat, MUSCLE)):
        paint(values, ellipse(0, 0, rx - depth, ry - 0.8 * depth, power=2.4), tissue)
    planes = np.exp(-((clouds(rng, 30) / 0.07) ** 2)) * (values > 40)
    paint(values, 0.8 * planes, FAT)
    cage = rx - fat - 0.11, ry - 0.8 * fat - 0.12
    paint(values, ellipse(0, LIFT, cage[0] + 0.012, cage[1] + 0.012, power=2.2), FAT)
    _draw_bones(values, rng, cage)
    mediastinum, chambers = _mediastinum(rng, cage)
    thorax = ellipse(0, LIFT, *cage, power=2.2)
    lungs = np.clip(cv2.GaussianBlur(thorax * (1 - mediastinum), (0, 0), 7) * 7 - 3, 0, 1)
    paint(values, thorax * (1 - lungs) * (Y < 0.3), FAT + 20)
    paint(values, chambers, BLOOD)
    _draw_spine(values, rng, cage[1])
    return values, lungs


def _mediastinum(
    rng: np.random.Generator, cage: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Covers of all that lies between the lungs, and of heart and great vessels alone."""
    low = rng.uniform(0, 1)  # from the level of the bronchi down to that of the ventricles
    back, x, rx = LIFT + cage[1], 0.02 + 0.1 * low, 0.17 + 0.13 * low
    heart = ellipse(x, -0.38 * back, rx, 0.2 + 0.1 * low, rng.uniform(25, 45), 2.3)
    bulge = ellipse(-0.06, -0.3 * back, 0.13 + 0.06 * low, 0.19, 0, 2.2)
    aorta = ellipse(0.1, 0.42 * back, 0.052, 0.052)
    hila = [ellipse(side * 0.11, 0.0, 0.07, 0.1, 20 * side) for side in (-1, 1)]
    chambers = np.maximum.reduce([heart, bulge, aorta, *hila])
    spine = ellipse(0, 0.72 * back, 0.125, 0.22 * back)
    behind = ellipse(0, back + 0.05, 0.2, 0.3 * back)
    front = ellipse(0.05 * low, -0.95 * back, 0.04 + 0.1 * low, 0.5 * back)
    middle = ellipse(0, 0.2 * back, 0.085, 0.45 * back)
    return np.maximum.reduce([chambers, spine, behind, front, middle]), chambers


def _draw_bones(values: np.ndarray, rng: np.random.Generator, cage: tuple[float, float]) -> None:
    """Ribs as oblique pieces of the cage, breastbone, shoulder blades."""
    middle = SIDE // 2, round((1 + LIFT) * SIDE / 2)
    axes = [round((radius + 0.04) * SIDE / 2) for radius in cage]
    angles = np.arange(-70, 251, rng.uniform(23, 29)) + rng.uniform(-4, 4)
    for thickness, density in ((11, BONE), (5, MARROW)):
        ribs = np.zeros((SIDE, SIDE), np.uint8)
        for number, angle in enumerate(a for a in angles if abs(a % 360 - 90) > 20):
            reach = 2.5 + 6 * np.sin(2.7 * number + angles[0]) ** 2
            shrink = 0.5 if thickness < 10 else 0
            ends = angle - reach + shrink, angle + reach - shrink
            cv2.ellipse(ribs, middle, axes, 0, *ends, 255, thickness, cv2.LINE_AA)
        paint(values, ribs / np.float32(255), density)
    for depth, density in ((0, BONE), (0.009, MARROW)):
        paint(values, ellipse(0, LIFT - cage[1] - 0.045, 0.09 - depth, 0.028 - depth), density)
        for side in (-1, 1):
            blade = ellipse(side * (cage[0] - 0.13), 0.4, 0.1 - depth, 0.015 - depth, -40 * side)
            paint(values, blade, density)


def _draw_spine(values: np.ndarray, rng: np.random.Generator, back: float) -> None:
    """A vertebra: body, arch with its processes, canal."""
    y = 0.72 * (LIFT + back)
    for depth, density in ((0, BONE), (0.01, MARROW)):
        for side in (-1, 1):
            process = ellipse(side * 0.1, y + 0.12, 0.065 - depth, 0.024 - depth, 25 * side)
            paint(values, process, density)
        paint(values, ellipse(0, y + 0.2, 0.017 - depth / 2, 0.06 - depth), density)
        paint(values, ellipse(0, y + 0.11, 0.07 - depth, 0.055 - depth), density)
        paint(values, ellipse(0, y, 0.092 - depth, 0.085 - depth, power=2.5), density)
    marrow = ellipse(0, y, 0.08, 0.068)
    values += marrow * 50 * clouds(rng, 5)
    paint(values, ellipse(0, y + 0.115, 0.04, 0.033), 20)


def draw_parenchyma(rng: np.random.Generator) -> np.ndarray:
    """Aerated lung in Hounsfield units, denser towards the back where blood settles."""
    base = rng.uniform(-880, -835) + 45 * Y
    return base + 12 * clouds(rng, 40) + 12 * clouds(rng, 9) + 8 * clouds(rng, 4)


def draw_trees(rng: np.random.Generator, lungs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covers of the vessels, branching and tapering from each hilum, and of the airways' lumen."""
    side = SIDE * _FINE
    vessels, lumen = np.zeros((side, side), np.uint8), np.zeros((side, side), np.uint8)
    for direction in (0, np.pi):
        hilum = np.array([np.cos(direction) * _HILUM[0], _HILUM[1]])
        for turn in np.linspace(-1.5, 1.5, 5):
            start = (hilum + rng.uniform(-0.03, 0.03, 2)).tolist()
            _grow(vessels, rng, start, direction + turn + rng.normal(0, 0.2), rng.uniform(3.5, 6))
        for turn in rng.uniform(-1, 1, 3):
            heading = direction + turn
            point = hilum + 0.09 * np.array([np.cos(heading), np.sin(heading)])
            centre, radius = _pixels(point), round(rng.uniform(2, 3.5) * _FINE)
            cv2.circle(vessels, centre, radius + 4, 150, -1, cv2.LINE_AA)
            cv2.circle(lumen, centre, radius, 255, -1, cv2.LINE_AA)
    _draw_crossings(vessels, rng, lungs)
    return _shrink(vessels), _shrink(lumen)


def _shrink(canvas: np.ndarray) -> np.ndarray:
    """A fine canvas, 0 to 255, as a cover."""
    return cv2.resize(canvas, (SIDE, SIDE), interpolation=cv2.INTER_AREA) / np.float32(255)


def _draw_crossings(canvas: np.ndarray, rng: np.random.Generator, lungs: np.ndarray) -> None:
    """Draw vessels that cross the plane, as dots, and that lie in it for a while, as twigs.

    All are the thinner the farther from the hilum, and the twigs point away from it.
    """
    rows, columns = np.nonzero(lungs > 0.9)
    for number, pick in enumerate(rng.integers(rows.size, size=_DOTS + _TWIGS)):
        x, y = X[0, columns[pick]], Y[rows[pick], 0]
        right, down = x - np.copysign(_HILUM[0], x), y - _HILUM[1]
        width = rng.uniform(0.8, 1.4) * max(0.8, 3.2 - 5 * np.hypot(right, down))
        if number < _TWIGS:
            heading = np.arctan2(down, right) + rng.normal(0, 0.5)
            _grow(canvas, rng, (x, y), heading, min(width, 1.6))
            continue
        axes = np.rint(width * _FINE * rng.uniform(0.5, 0.8, 2)).astype(int).tolist()
        shade, turn = int(rng.integers(130, 255)), int(rng.integers(180))
        cv2.ellipse(canvas, _pixels((x, y)), axes, turn, 0, 360, shade, -1, cv2.LINE_AA)


def _pixels(point: Sequence[float] | np.ndarray) -> tuple[int, int]:
    """A point in drawing coordinates on the fine canvas."""
    x, y = point
    return round((x + 1) / 2 * SIDE * _FINE), round((y + 1) / 2 * SIDE * _FINE)


def _grow(
    canvas: np.ndarray,
    rng: np.random.Generator,
    start: Sequence[float],
    heading: float,
    width: float,
) -> None:
    """Draw one vessel and, ever thinner, those that branch off it."""
    twigs = [(start, heading, width * _FINE)]
    while twigs:
        point, heading, width = twigs.pop()
        begin = _pixels(point)
        for _ in range(int(rng.integers(3, 6))):
            heading += rng.normal(0, 0.1)
            length = rng.uniform(0.014, 0.03)
            point = point[0] + length * math.cos(heading), point[1] + length * math.sin(heading)
            shade = int(min(60 + 22 * width, 255))
            end = _pixels(point)
            cv2.line(canvas, begin, end, shade, max(1, round(width)), cv2.LINE_AA)
            begin, width = end, width * 0.94
        if width > _THINNEST * _FINE:
            spread = rng.uniform(0.5, 1.1) * rng.choice((-1, 1))
            twigs.append((point, heading - 0.3 * spread, width * rng.uniform(0.78, 0.92)))
            twigs.append((point, heading + spread, width * rng.uniform(0.4, 0.6)))


def add_lesion(rng: np.random.Generator, parenchyma: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    """Add a ground-glass opacity near the pleura, mostly at the back; its cover."""
    depth = cv2.distanceTransform((lungs > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    likely = (depth > 5) * np.exp(-depth / 14) * np.exp(2.2 * Y)
    row, column = divmod(rng.choice(likely.size, p=(likely / likely.sum()).ravel()), SIDE)
    x, y = X[0, column], Y[row, 0]
    along = np.rad2deg(np.arctan2(y, x)) + 90
    turn, length = np.deg2rad(along), rng.uniform(0.1, 0.2)
    u = ((X - x) * np.cos(turn) + (Y - y) * np.sin(turn)) / length
    v = ((Y - y) * np.cos(turn) - (X - x) * np.sin(turn)) / (length * rng.uniform(0.45, 0.8))
    shape = 1 - np.hypot(u, v) + 0.28 * clouds(rng, 22) + 0.12 * clouds(rng, 7)
    cover = lungs * _sigmoid(9 * shape)
    haze = rng.uniform(-640, -480) + 45 * clouds(rng, 3.5) + 40 * clouds(rng, 12)
    paint(parenchyma, 0.95 * cover, haze)
    if rng.random() < 0.4:
        paint(parenchyma, lungs * _sigmoid(12 * (shape - 0.55)), rng.uniform(-150, 0))
    return cover
