"""The linear head of a network, and the file that holds it beside the trunk's graph."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from covidct.data.classes import COVID, MOST_CLASSES, is_class_name
from covidct.runtime.graph import GraphError

HEAD_FILE, CLASSES_FILE = "head.npz", "classes.npz"
STANDARDISE_EPSILON = 1e-8
# What zipfile and NumPy raise at bytes that were damaged
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
_STORED_AT = (1980, 1, 1, 0, 0, 0)  # so that equal models have equal hashes


class LinearHead(NamedTuple):
    """A linear classifier of pooled features as they are.

    Attributes:
        kernel: float32 (C,), how much each pooled feature counts in the logit.
        bias: the logit of features that are all zero.
    """

    kernel: np.ndarray
    bias: float

    def appended_to(self, graph: bytes) -> bytes:
        """The graph's file with this head as an associated file.

        TFLite Metadata packs associated files this way: a ``.tflite`` file is read from its start
        and a ZIP archive from its end, so one file and one hash hold both.
        """
        arrays = io.BytesIO()
        np.savez(arrays, kernel=self.kernel.astype(np.float32), bias=np.float64(self.bias))
        return _appended(graph, HEAD_FILE, arrays.getvalue())

    @classmethod
    def read(cls, data: bytes) -> "LinearHead":
        """The head that was appended to a graph's file.

        Raises:
            GraphError: there is none, or it is malformed.
        """
        try:
            kernel, intercept = _arrays(data, HEAD_FILE, "kernel", "bias") or []
            bias = float(intercept)
        except _UNREADABLE as error:
            raise GraphError("There is no head in this file.") from error
        if kernel.dtype != np.float32 or kernel.ndim != 1 or not np.isfinite([*kernel, bias]).all():
            raise GraphError("The head in this file is malformed.")
        return cls(kernel, bias)


class ClassHead(NamedTuple):
    """Which of several classes a slice without COVID-19 is of: a softmax of linear logits.

    Attributes:
        names: of the classes.
        kernels: float32 (K, C), how much each pooled feature counts for each class.
        biases: float32 (K,).
    """

    names: tuple[str, ...]
    kernels: np.ndarray
    biases: np.ndarray

    def shares(self, features: np.ndarray) -> np.ndarray:
        """How probable each class is without COVID-19, float32 (N, K), of features (N, C)."""
        # One by one, as the last bits of a product of all depend on how many they are
        logits = np.array([self.kernels @ one + self.biases for one in features])
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def appended_to(self, graph: bytes) -> bytes:
        """The file of graph and head with this as one more associated file."""
        arrays = io.BytesIO()
        np.savez(arrays, names=self.names, kernels=self.kernels, biases=self.biases)
        return _appended(graph, CLASSES_FILE, arrays.getvalue())

    @classmethod
    def read(cls, data: bytes) -> "ClassHead | None":
        """The one that was appended to a graph's file; None where there is none.

        Raises:
            GraphError: it is malformed.
        """
        try:
            arrays = _arrays(data, CLASSES_FILE, "names", "kernels", "biases")
            if arrays is None:
                return None
            called, kernels, biases = arrays
            names = tuple(called.tolist())
        except _UNREADABLE as error:
            raise GraphError("The classes in this file are malformed.") from error
        numbers = kernels.dtype == biases.dtype == np.float32 and kernels.ndim == 2
        if not (
            numbers
            and biases.shape == kernels.shape[:1] == (len(names),)
            and np.isfinite(kernels).all()
            and np.isfinite(biases).all()
            and 2 <= len(set(names)) == len(names) < MOST_CLASSES
            and COVID not in names
            and all(map(is_class_name, names))
        ):
            raise GraphError("The classes in this file are malformed.")
        return cls(names, kernels, biases)


def _arrays(data: bytes, file: str, *names: str) -> list[np.ndarray] | None:
    """Arrays in an associated file of a graph's file; None where there is no such file."""
    with zipfile.ZipFile(io.BytesIO(data)) as appended:
        if file not in appended.namelist():
            return None
        content = io.BytesIO(appended.read(file))
    with np.load(content, allow_pickle=False) as arrays:
        return [arrays[name] for name in names]


def _appended(graph: bytes, name: str, content: bytes) -> bytes:
    archive = io.BytesIO(graph)
    with zipfile.ZipFile(archive, "a") as appended:
        appended.writestr(zipfile.ZipInfo(name, _STORED_AT), content)
    return archive.getvalue()


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear classifier of standardised pooled features (C,).

    Attributes:
        mean: float (C,), subtracted from the features.
        variance: float (C,), that they are scaled by.
        kernel: float (C,).
        bias: the logit of mean features.
    """

    mean: np.ndarray
    variance: np.ndarray
    kernel: np.ndarray
    bias: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Of pooled features (N, C), float (N,)."""
        return (features - self.mean) / np.sqrt(self.variance) @ self.kernel + self.bias

    def of_raw_features(self) -> LinearHead:
        """The same head for features that are not standardised."""
        raw = self.kernel / np.sqrt(self.variance + STANDARDISE_EPSILON)
        return LinearHead(raw.astype(np.float32), float(self.bias - raw @ self.mean))

    @classmethod
    def of_logit(cls, features: int) -> "Head":
        """The head of so many features the first of which is a logit itself."""
        kernel = np.zeros(features)
        kernel[0] = 1
        return cls(np.zeros(features), np.ones(features), kernel, 0.0)

    @classmethod
    def blend_of(cls, heads: Sequence["Head"], shares: Sequence[float]) -> "Head":
        """The head whose logit is the weighted mean of those of heads of the same features."""
        first = heads[0]
        kernel, bias = np.zeros_like(first.kernel), 0.0
        for head, share in zip(heads, shares, strict=True):
            raw = head.kernel / np.sqrt(head.variance)
            kernel = kernel + share * raw * np.sqrt(first.variance)
            bias += share * float(head.bias + raw @ (first.mean - head.mean))
        return cls(first.mean, first.variance, kernel, bias)

    @classmethod
    def sum_of(cls, heads: Sequence["Head"], weights: Sequence[float]) -> "Head":
        """The head of all features whose logit is the weighted sum of those of heads of some."""
        return cls(
            np.concatenate([head.mean for head in heads]),
            np.concatenate([head.variance for head in heads]),
            np.concatenate([w * head.kernel for head, w in zip(heads, weights, strict=True)]),
            sum(w * head.bias for head, w in zip(heads, weights, strict=True)),
        )
