import numpy as np
import pytest

from covidct.evaluation.review import Reviewed


@pytest.fixture(scope="session")
def make_slices():
    """Judged slices of patients with three slices each, better told apart than by chance."""

    def make(patients: int = 60, seed: int = 0, ties: bool = False) -> tuple[Reviewed, ...]:
        rng = np.random.default_rng(seed)
        slices = []
        for patient in range(patients):
            ill, level = patient % 2 == 0, rng.normal()
            for number in range(3):
                logit = level + rng.normal(scale=0.5) + (1.0 if ill else -1.0)
                probability = round(float(1 / (1 + np.exp(-logit))), 1 if ties else 6)
                class_name = "COVID" if ill else "NonCOVID"
                slices.append(
                    Reviewed(
                        f"{patient}-{number}.png",
                        class_name,
                        f"{class_name}/{patient}",
                        probability,
                        "Positive" if probability >= 0.5 else "Negative",
                        "Uncertain" if 0.4 <= probability < 0.6 else "certain",
                        "PNG" if patient % 3 else "JPEG",
                        (100 + patient, 200),
                    )
                )
        return tuple(slices)

    return make
