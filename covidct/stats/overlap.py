"""How far two masks agree."""

import numpy as np


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """The Dice coefficient of two masks, bool of the same shape; 1 where both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0
