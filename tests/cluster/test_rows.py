from functools import partial

from covidct.cluster.rows import outcome_of, row_of
from covidct.data.index import read_index
from covidct.imaging.file import File, load
from covidct.imaging.readers import read_slice
from covidct.imaging.series import Place
from covidct.inference.cases import Case
from covidct.inference.classifier import Classifier
from covidct.inference.judge import admit_all, judge_slices


def test_the_probabilities_of_all_classes_come_back_to_the_bit(three_class_run, three_classes):
    paths = [item.path for item in read_index(three_classes).items[::5]]
    cases = [
        Case(Place(path.name), partial(read_slice, path), file=File(str(path), partial(load, path)))
        for path in paths
    ]
    judged = list(judge_slices(Classifier.open(three_class_run), cases, admit_all))
    for case, one in zip(cases, judged, strict=True):
        back = outcome_of(case, row_of(one)).prediction
        assert back == one.prediction
        assert list(back.classes) == ["COVID", "Normal", "Striped"]
