import gc
import shutil
import weakref

import pytest
import streamlit as st

from covidct.ui.shared.network import open_classifier


@pytest.fixture(autouse=True)
def nothing_cached():
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()
    gc.unfreeze()


def test_the_collection_after_each_run_of_a_page_leaves_the_network_alone(tiny_model):
    open_classifier(tiny_model)
    left_to_walk = len(gc.get_objects())
    assert gc.get_freeze_count() > 10 * left_to_walk


def test_a_network_that_was_replaced_is_given_back(tiny_model, tmp_path):
    graph = weakref.ref(open_classifier(tiny_model).trunks.graph)
    assert graph() is not None
    st.cache_resource.clear()
    gc.collect()
    open_classifier(shutil.copytree(tiny_model, tmp_path / "next"))
    assert graph() is None
