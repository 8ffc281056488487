import pytest

from covidct.data import forest
from covidct.evaluation.audit import sources


@pytest.fixture(scope="package", autouse=True)
def _few_trees():
    """So few slices need no forests of a hundred trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest, "_TREES", 20)
        patch.setattr(sources, "_TREES", 20)
        yield
