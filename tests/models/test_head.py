import numpy as np
import pytest

from covidct.models.head import Head


@pytest.fixture
def heads():
    rng = np.random.default_rng(0)
    return [
        Head(rng.normal(size=5), rng.uniform(0.5, 2, 5), rng.normal(size=5), float(rng.normal()))
        for _ in range(2)
    ]


def test_a_blend_gives_the_weighted_mean_of_the_logits(heads):
    features = np.random.default_rng(1).normal(size=(7, 5))
    blend = Head.blend_of(heads, (0.3, 0.7))
    expected = 0.3 * heads[0].logits(features) + 0.7 * heads[1].logits(features)
    assert np.allclose(blend.logits(features), expected)
    raw = blend.of_raw_features()
    assert np.allclose(features @ raw.kernel + raw.bias, expected, atol=1e-5)


def test_a_sum_gives_the_weighted_sum_of_the_logits_of_each_part(heads):
    features = np.random.default_rng(2).normal(size=(7, 10))
    both = Head.sum_of(heads, (1.0, 0.6))
    expected = heads[0].logits(features[:, :5]) + 0.6 * heads[1].logits(features[:, 5:])
    assert np.allclose(both.logits(features), expected)
