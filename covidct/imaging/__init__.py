"""Bytes -> CTSlice -> network pixels, without TensorFlow and without Streamlit."""

from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.readers import read_hounsfield, read_slice

__all__ = ["CTSlice", "read_hounsfield", "read_slice"]
