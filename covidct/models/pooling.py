"""Feature maps out of a backbone's graph, pooled into features or summed up to an activation map.

The network is that of :mod:`covidct.models.network`, which tells the method; here it runs without
TensorFlow: the trunks in LiteRT, their pooling and the head in NumPy. Features that a head is
solved on come from the very graph that is used afterwards.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, product
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from covidct.models.backbones import Backbone, Trunk
from covidct.models.head import LinearHead
from covidct.runtime.graph import Graph, GraphError

COVERS, STATISTICS = ("thorax", "opacities"), ("mean", "deviation")
COVER_EPSILON = 1e-3  # of the picture; less than that is no cover to speak of
_AT_A_TIME = 16  # slices whose maps are on the way


class Origin(NamedTuple):
    """Where a pooled feature comes from.

    Attributes:
        trunk: the name of the trunk.
        part: the name of the part of it.
        cover: one of :data:`COVERS`.
        statistic: one of :data:`STATISTICS`.
    """

    trunk: str
    part: str
    cover: str
    statistic: str


class _Pass(NamedTuple):
    """A trunk's look at a slice.

    Attributes:
        image: network pixels, float32 (h, w, 3).
        trunk: the trunk.
        mirrored: whether it is shown the mirror image.
    """

    image: np.ndarray
    trunk: Trunk
    mirrored: bool = False


class TrunkMaps:
    """The trunks of a backbone as a LiteRT graph; safe to share between threads.

    Args:
        graph: a signature for each of the backbone's trunks; those of earlier versions lack a
            trunk's last part.
        backbone: whose trunks they are.

    Attributes:
        image_size: rows and columns of the network pixels that it takes.
        origins: where each pooled feature comes from, in their order.
        grid: rows and columns of the activation map, those of the finest maps.

    Raises:
        GraphError: the graph is of another backbone.
    """

    def __init__(self, graph: Graph, backbone: Backbone) -> None:
        self.graph, self.backbone = graph, backbone
        self.statistics = STATISTICS if backbone.pools_deviation else STATISTICS[:1]
        try:
            parts = {
                trunk.name: [part.name for part in trunk.parts for _ in range(part.maps)]
                for trunk in backbone.trunks
            }
            shapes = {name: graph.output_shapes[name] for name in parts}
            if any(len(shapes[name]) > len(parts[name]) for name in parts):
                raise ValueError("more maps than the backbone has")
            self.image_size = next(
                graph.input_shapes[trunk.name][1:3] for trunk in backbone.trunks if trunk.scale == 1
            )
            self.origins = tuple(
                Origin(trunk, part, cover, statistic)
                for trunk, names in parts.items()
                for part, shape in zip(names, shapes[trunk], strict=False)
                for cover, statistic in product(COVERS, self.statistics)
                for _ in range(shape[-1])
            )
        except (KeyError, ValueError, StopIteration) as error:
            raise GraphError(f"The graph is not one of the backbone {backbone.name}.") from error
        self.grid = max(shape[1:3] for found in shapes.values() for shape in found)
        # Each worker keeps a core busy: threads of BLAS beside them would wait for each other
        threadpool_limits(1, user_api="blas")
        self._workers = ThreadPoolExecutor(graph.interpreters, thread_name_prefix="trunks")

    def features(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Pooled features.

        Args:
            images: network pixels of each slice, float32 (h, w, 3), from
                :func:`covidct.imaging.anatomy.thorax_crop.network_pixels`.

        Returns:
            float32 (N, C), in the order of :attr:`origins`.
        """

        def pooled(one: _Pass) -> np.ndarray:
            return np.concatenate([self._pooled(*found) for found in self._maps(one)])

        passes = (_Pass(image, trunk) for image in images for trunk in self.backbone.trunks)
        found = self._work(pooled, passes)
        rows = iter(lambda: list(islice(found, len(self.backbone.trunks))), [])
        return np.array([np.concatenate(row) for row in rows], np.float32).reshape(
            -1, len(self.origins)
        )

    def activations_and_logits(
        self, images: Sequence[np.ndarray] | np.ndarray, head: LinearHead, mirrored: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Class activation maps and logits, from one look at each slice.

        The map is each place's share in the logit, on the grid of the finest maps: coarser ones are
        interpolated. The shares add up to the logit without its bias; nearly so where a coarser
        grid does not divide the finest.

        Args:
            images: network pixels, float32 (N, h, w, 3).
            head: of these features.
            mirrored: average over the slice and its mirror image in the trunks that gain by it.

        Returns:
            float32 (N, h', w') and (N,).
        """
        kernels = self._kernels(head.kernel)
        looks = [
            (trunk, turned)
            for trunk in self.backbone.trunks
            for turned in ((False, True) if mirrored and trunk.gains_by_mirror else (False,))
        ]

        def shares(one: _Pass) -> list[np.ndarray]:
            found = zip(self._maps(one), kernels[one.trunk.name], strict=True)
            each = [self._shares(*maps, kernel) for maps, kernel in found]
            return [share[:, ::-1] for share in each] if one.mirrored else each

        found = self._work(shares, (_Pass(image, *look) for image in images for look in looks))
        activations, logits = np.zeros((len(images), *self.grid), np.float32), []
        for activation in activations:
            logit = head.bias
            for trunk, turned in looks:
                both_ways = turned or (trunk, True) in looks
                for share in next(found):
                    weighted = share / 2 if both_ways else share
                    logit += float(weighted.mean())
                    activation += cv2.resize(weighted, self.grid[::-1])
            logits.append(logit)
        return activations / np.prod(self.grid, dtype=np.float32), np.array(logits, np.float32)

    def _work(self, work: Callable, passes: Iterable[_Pass]) -> Iterator:
        """Like ``map``, in threads, a few slices ahead of who takes the results."""
        passes = iter(passes)
        while some := list(islice(passes, _AT_A_TIME * len(self.backbone.trunks))):
            yield from self._workers.map(work, some)

    def _maps(self, one: _Pass) -> list[tuple[np.ndarray, np.ndarray]]:
        """The trunk's maps (P, C), each with its grid's shape and covers' weights (2, h, w)."""
        image = one.image[:, ::-1] if one.mirrored else one.image
        _, rows, columns, _ = self.graph.input_shapes[one.trunk.name]
        picture = resized(image[..., 0], (rows, columns))[None, ..., None]
        weights: dict[tuple[int, int], np.ndarray] = {}
        found = []
        for maps in self.graph(one.trunk.name, picture):
            grid = maps.shape[1:3]
            if grid not in weights:
                weights[grid] = np.stack([_relative(image[..., c], grid) for c in (1, 2)])
            found.append((maps[0].reshape(-1, maps.shape[-1]), weights[grid]))
        return found

    def _pooled(self, maps: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Features of maps (P, C): for each cover the mean and, if pooled, the mean deviation."""
        averaging = weights.reshape(len(COVERS), -1) / len(maps)
        pooled = []
        for weight, mean in zip(averaging, averaging @ maps, strict=True):
            pooled.append(mean)
            if self.backbone.pools_deviation:
                pooled.append(weight @ np.abs(maps - mean))
        return np.concatenate(pooled)

    def _shares(self, maps: np.ndarray, weights: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """Each place's share in the logit, float32 (h, w); their mean is what the maps add to it.

        Args:
            maps: (P, C).
            weights: of the places under each cover, (2, h, w).
            kernel: of the features that :meth:`_pooled` makes of these maps, one row each.
        """
        of_cover = kernel.reshape(len(COVERS), len(self.statistics), -1)
        shares = np.zeros(len(maps), np.float32)
        for weight, rows in zip(weights.reshape(len(COVERS), -1), of_cover, strict=True):
            each = maps @ rows[0]
            if self.backbone.pools_deviation:
                each += np.abs(maps - weight @ maps / len(maps)) @ rows[1]
            shares += weight * each
        return shares.reshape(weights.shape[1:])

    def _kernels(self, kernel: np.ndarray) -> dict[str, list[np.ndarray]]:
        """The head's kernel, shared out to the maps of each trunk."""
        kernels: dict[str, list[np.ndarray]] = {}
        start = 0
        for trunk in self.backbone.trunks:
            kernels[trunk.name] = []
            for shape in self.graph.output_shapes[trunk.name]:
                end = start + len(COVERS) * len(self.statistics) * shape[-1]
                kernels[trunk.name].append(kernel[start:end])
                start = end
        return kernels


def resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear and antialiased, as ``tf.image.resize(…, antialias=True)``, which LiteRT lacks.

    Args:
        values: float32 (h, w).
        size: rows and columns of the result.
    """
    if values.shape == size:
        return np.ascontiguousarray(values)
    # ascontiguousarray, since Pillow does not take views that run backwards
    picture = Image.fromarray(np.ascontiguousarray(values))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR))


def _relative(cover: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """A cover on a grid of maps, relative to its mean, float32 (h, w)."""
    weight = resized(cover, grid)
    return weight / (weight.mean() + np.float32(COVER_EPSILON))
