import gc
import shutil
import weakref

import keras
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from covidct.ui.network import open_classifier


@pytest.fixture(autouse=True)
def nothing_cached(monkeypatch):
    monkeypatch.setattr(keras.backend, "clear_session", keras.utils.clear_session)
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()
    gc.unfreeze()


def test_the_collection_after_each_run_of_a_page_leaves_the_network_alone(tiny_model):
    open_classifier(tiny_model)
    left_to_walk = len(gc.get_objects())
    assert gc.get_freeze_count() > 10 * left_to_walk


def test_a_run_of_a_page_leaves_what_tensorflow_compiled(tiny_model):
    def names_start_anew():
        """As they do when Keras is cleared, and with it TensorFlow's compiled functions."""
        keras.layers.Dense(1)
        AppTest.from_string("").run()
        return keras.layers.Dense(1).name == "dense"

    assert names_start_anew()
    open_classifier(tiny_model)
    assert not names_start_anew()


def test_a_network_that_was_replaced_is_given_back(tiny_model, tmp_path):
    weights = weakref.ref(open_classifier(tiny_model).model.trainable_variables[0])
    assert weights() is not None
    st.cache_resource.clear()
    gc.collect()
    open_classifier(shutil.copytree(tiny_model, tmp_path / "next"))
    assert weights() is None
