import keras
import numpy as np
import pytest

from covidct.errors import ModelError
from covidct.models.backbones import get_backbone, read_pretrained_graph
from covidct.models.folding import fold_batch_norm, round_to_half_precision
from covidct.models.litert import CALIBRATION_SLICES, float_graph, integer_graph, spread
from covidct.models.network import build_network, head_of
from covidct.models.pooling import TrunkMaps
from covidct.runtime.graph import Graph

SIZE = (48, 64)
# The converter itself calibrates with TensorFlow's own interpreter.
pytestmark = pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")


def alike(some, others):
    return np.corrcoef(some.ravel(), others.ravel())[0, 1]


@pytest.fixture(scope="module")
def network():
    return fold_batch_norm(build_network("astra_resnet", SIZE))


@pytest.fixture(scope="module")
def images(images_for):
    return images_for("astra_resnet")


@pytest.fixture(scope="module")
def in_integers(network, images):
    """The network as a graph in integers."""
    watched = []

    def progress(some):
        watched.append(len(some))
        return some

    graph = integer_graph(network, images, progress)
    assert watched == [len(images)]
    return graph


def trunks_of(graph):
    return TrunkMaps(Graph(graph), get_backbone("astra_resnet"))


def test_floats_give_the_logits_of_the_keras_network(converted, images_for):
    one, images = converted("efficientnet_lite0"), images_for("efficientnet_lite0")
    _, logits = one.trunks.activations_and_logits(images, head_of(one.network), True)
    assert np.allclose(logits, one.network(images)[:, 0], atol=1e-4)


def test_integers_give_nearly_the_features_of_floats(network, in_integers, images, pooled):
    found = trunks_of(in_integers).features(images)
    for some, exact in zip(found, pooled(network, images), strict=True):
        assert alike(some, exact) > 0.99


def test_integers_take_less_than_a_third_of_the_room_of_floats(converted, in_integers):
    assert len(in_integers) < len(converted("astra_resnet").graph) / 3


def test_a_graph_gives_the_same_whenever_and_wherever_it_is_asked(converted, in_integers, images):
    for graph in (in_integers, converted("astra_resnet").graph):
        trunks = trunks_of(graph)
        first = trunks.features(images)
        assert np.array_equal(trunks.features(images), first)
        assert np.array_equal(trunks_of(graph).features(images[::-1])[::-1], first)


def test_converting_again_makes_a_graph_that_gives_the_same(network, in_integers, images):
    again = integer_graph(network, images)
    found, before = (trunks_of(graph).features(images) for graph in (again, in_integers))
    assert np.array_equal(found, before)


def test_maps_stay_within_the_range_that_was_calibrated_on(in_integers, images):
    graph = Graph(in_integers)

    def greatest(brightness):
        pictures = brightness * images[:, None, ..., :1]
        maps = [graph("Astra", picture)[:-1] for picture in pictures]  # the last is never above 0
        return np.array([[one.max() for one in some] for some in maps]).max(axis=0)

    assert (greatest(np.float32(4)) < 1.05 * greatest(np.float32(1))).all()


def test_the_shipped_graph_is_that_of_the_shipped_weights(images_for, pooled):
    backbone = get_backbone("astra_lite")
    network = fold_batch_norm(build_network("astra_lite", backbone.input_size))
    round_to_half_precision(network)
    trunks = TrunkMaps(Graph(read_pretrained_graph("astra_lite")), backbone)
    assert trunks.image_size == backbone.input_size
    images = images_for("astra_lite", backbone.input_size)[:4]
    for found, exact in zip(trunks.features(images), pooled(network, images), strict=True):
        assert alike(found, exact) > 0.99


def test_a_network_of_an_earlier_version_is_refused():
    images = keras.Input((64, 64, 3))
    earlier = keras.Model(images, keras.layers.Flatten()(images), name="astra_lite")
    with pytest.raises(ModelError, match="earlier version"):
        float_graph(earlier)


def test_nothing_is_written_to_standard_error(capfd):
    network = build_network("efficientnet_lite0", SIZE, pretrained=False)
    capfd.readouterr()
    float_graph(network)
    assert capfd.readouterr() == ("", "")


def test_slices_to_calibrate_on_are_spread_over_all():
    assert np.array_equal(spread(3), [0, 1, 2])
    some = spread(1000)
    assert len(some) == CALIBRATION_SLICES
    assert (some[0], some[-1]) == (0, 999)
    assert set(np.diff(some)) <= {10, 11}
