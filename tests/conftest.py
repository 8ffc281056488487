"""Data that several tests share: real slices where they are, small synthetic ones everywhere."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# As many processes as cores are at work: threads of their own would only get in each other's way.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest
from filelock import FileLock
from forked import start_covidct
from orthanc import Orthanc, serve_orthanc
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from covidct.imaging.phantom import phantom_slice
from covidct.training.config import TrainConfig

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
ONLY_WHEN_ASKED = {"endurance", "vgg16"}  # by -m
LONG = {"browser", "train"}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured, which they record as the property "figure"."""
    reports = [
        report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)
    ]
    figures = [
        text for report in reports for key, text in report.user_properties if key == "figure"
    ]
    if figures:
        terminalreporter.section("figures")
        terminalreporter.write("".join(f"{text}\n" for text in figures))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what nobody asked for, and begin with the files that take long, so that no worker
    is left alone with one of them at the end."""
    for item in items:
        if {"trained_run", "three_class_run"} & set(item.fixturenames):
            item.add_marker("train")
        if item.get_closest_marker("browser"):  # of hundreds of presses one may meet a redrawing
            item.add_marker(pytest.mark.flaky(reruns=1))
    unasked = ONLY_WHEN_ASKED - set(re.findall(r"\w+", config.option.markexpr))
    asked, left_out = [], []
    for item in items:
        (left_out if _has_any(item, unasked) else asked).append(item)
    config.hook.pytest_deselected(items=left_out)
    long_files = {item.path for item in asked if _has_any(item, LONG)}
    items[:] = sorted(asked, key=lambda item: item.path not in long_files)


def _has_any(item: pytest.Item, markers: set[str]) -> bool:
    return any(marker.name in markers for marker in item.iter_markers())


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory, worker_id) -> Path:
    """The temporary folder of all workers; each has its own below it."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def make_once(common_folder) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder of a name, filled by a function; only the first worker that asks fills it.

    To be copied, not changed.
    """

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, unfinished = common_folder / name, common_folder / "unfinished" / name
        with FileLock(common_folder / f"{name}.lock"):
            if not folder.exists():
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir(parents=True)
                fill(unfinished)
                unfinished.rename(folder)
        return folder

    return make


@pytest.fixture(autouse=True)
def _main_module(monkeypatch):
    """Streamlit's tests put the script of a page there, which later processes would run again."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session", autouse=True)
def _no_ones_home(tmp_path_factory):
    """Runs and promoted models of whoever calls the tests are neither seen nor touched, and no
    server of theirs is told of runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("COVIDCT_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture
def own_home(tmp_path, monkeypatch) -> Path:
    """A COVIDCT_HOME for one test."""
    monkeypatch.setenv("COVIDCT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 24 MB, and a function that makes it larger, by default much."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except OSError:
        pytest.skip("no mount on this machine")
    if done.returncode:
        pytest.skip("mounting is not permitted here")

    def enlarge(megabytes: int = 200) -> None:
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(disk)], check=True)

    yield disk, enlarge
    subprocess.run(["umount", "--lazy", str(disk)], check=True)  # threads may be ending yet


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of app.py."""
    return ROOT


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Callable[..., subprocess.CompletedProcess]:
    """The command line with these arguments, in a process of its own, after some code if any is
    given."""

    def call(*arguments: object, before: str = "") -> subprocess.CompletedProcess:
        folder = tmp_path_factory.mktemp("command")
        output, errors = folder / "output", folder / "errors"
        process = start_covidct(arguments, output, errors, before)
        process.join()
        return subprocess.CompletedProcess(
            arguments, process.exitcode, output.read_text(), errors.read_text()
        )

    return call


@pytest.fixture(scope="session")
def covid_ct() -> Path:
    """The COVID-CT data set."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not on this machine")
    return SHARED_DATA / "COVID-CT"


@pytest.fixture(scope="session")
def real_files(covid_ct) -> list[Path]:
    """Every twentieth slice of COVID-CT."""
    return sorted((covid_ct / "Images-processed").glob("*/*"))[::20]


@pytest.fixture(scope="session")
def phantoms():
    """Eight synthetic slices, every other one with lesions."""
    return [phantom_slice(seed, lesions=3 * (seed % 2), size=256) for seed in range(8)]


@pytest.fixture(scope="session")
def no_lungs() -> bytes:
    """A picture that can be read and shows no lungs, as a PNG file."""
    ramp = np.tile(np.arange(160, dtype=np.uint8), (120, 1))
    return cv2.imencode(".png", ramp)[1].tobytes()


@pytest.fixture(scope="session")
def phantom_dataset(make_once) -> Path:
    """Two plain folders of 12 synthetic slices each, of one patient per slice."""

    def fill(folder: Path) -> None:
        for name, lesions, first in (("CT_COVID", 4, 100), ("CT_NonCOVID", 0, 400)):
            (folder / name).mkdir()
            for seed in range(12):  # no two of them are near-duplicates
                pixels = phantom_slice(first + seed, lesions, size=160).ct_slice.pixels
                cv2.imwrite(str(folder / name / f"{'abcdefghijkl'[seed]}.png"), pixels)

    return make_once("dataset", fill)


@pytest.fixture(scope="session")
def three_classes(make_once) -> Path:
    """Folders of COVID-19 and of two other classes, ten synthetic slices each; the lungs of one of
    them are striped, so that any network tells it apart."""

    def fill(folder: Path) -> None:
        for first, (name, lesions) in enumerate(
            {"CT_COVID": 4, "CT_Normal": 0, "CT_Striped": 0}.items()
        ):
            (folder / name).mkdir()
            for seed in range(10):
                phantom = phantom_slice(600 + 100 * first + seed, lesions, size=160)
                pixels = phantom.ct_slice.pixels
                if name == "CT_Striped":
                    pixels = np.where(striped(phantom.lung_mask), 120, pixels)
                cv2.imwrite(str(folder / name / f"{'abcdefghij'[seed]}.png"), pixels)

    def striped(lungs: np.ndarray) -> np.ndarray:
        return lungs & (np.arange(len(lungs))[:, None] % 12 < 4)

    return make_once("three classes", fill)


@pytest.fixture(scope="session")
def three_class_run(make_once, three_classes, quick) -> Path:
    """A finished run on them."""

    def fill(folder: Path) -> None:
        from covidct.training.fit import fit

        fit(three_classes, folder, replace(quick, epochs=2))

    return make_once("trained on three classes", fill)


@pytest.fixture(scope="session")
def volume() -> np.ndarray:
    """Seven phantoms as stored values 0 to 1500 of Hounsfield units from -1350; (7, 160, 176)."""
    pixels = [phantom_slice(seed, seed % 3, (160, 176)).ct_slice.pixels for seed in range(7)]
    return np.rint(np.stack(pixels) * (1500 / 255)).astype(np.uint16)


@pytest.fixture(scope="module")
def neck(volume):
    """Stored values of a slice above the lungs."""
    rows, columns = np.indices(volume[0].shape)
    return np.where(np.hypot(rows - 80, columns - 88) < 60, 1390, 350).astype(np.uint16)


@pytest.fixture(scope="session")
def ct_header() -> Callable[..., Dataset]:
    """The header of one CT slice: which of its series, further elements by keyword."""

    def make(number: int, **elements: object) -> Dataset:
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"1.2.3.{number + 1}"
        dataset.SeriesInstanceUID, dataset.SeriesNumber = "1.2.3", "4"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.PatientName, dataset.PatientID = "Secret^Patient", "Secret"
        dataset.Modality, dataset.InstanceNumber = "CT", str(number + 1)
        dataset.ImagePositionPatient = [-100.0, -90.0, 30.0 + 2.5 * number]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = [0.7, 0.8]
        dataset.RescaleIntercept, dataset.RescaleSlope = "-1350", "1"
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.PixelRepresentation = 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
            if value is None:
                delattr(dataset, keyword)
        return dataset

    return make


@pytest.fixture(scope="session")
def ct_file() -> Callable[..., bytes]:
    """A DICOM file of a header and stored values (H, W) or (frames, H, W), or of frames encoded."""

    def write(
        dataset: Dataset,
        values: np.ndarray,
        syntax: str = ExplicitVRLittleEndian,
        frames: list[bytes] | None = None,
        **options: object,
    ) -> bytes:
        dataset.Rows, dataset.Columns = values.shape[-2:]
        dataset.PixelData = encapsulate(frames, **options) if frames else values.tobytes()
        dataset["PixelData"].VR = "OB" if frames else "OW"
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    return write


@pytest.fixture(scope="session")
def scan(volume, ct_header, ct_file) -> list[bytes]:
    """The phantoms as the files of one series, from the feet to the head."""
    return [ct_file(ct_header(number), values) for number, values in enumerate(volume)]


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory) -> Iterator[Orthanc]:
    """Debian's Orthanc, which the tests of a worker share: each has series of its own."""
    with serve_orthanc(tmp_path_factory.mktemp("orthanc")) as orthanc:
        yield orthanc


@pytest.fixture
def named(orthanc, monkeypatch) -> Orthanc:
    """The same, named to the program by its environment."""
    for variable, value in orthanc.environment.items():
        monkeypatch.setenv(variable, value)
    return orthanc


@pytest.fixture(scope="session")
def stored(ct_header, ct_file, volume) -> Callable[..., list[bytes]]:
    """The phantoms as a series for an archive, all of whose UIDs begin with a given one."""

    def make(root: str, slices: int = 7, values=volume, **elements: object) -> list[bytes]:
        uids = {"StudyInstanceUID": f"{root}.1", "SeriesInstanceUID": f"{root}.1.1"}
        measured = {"FrameOfReferenceUID": f"{root}.2", "SliceThickness": "2.5"}
        described = {"PatientID": f"patient {root}", "SeriesDescription": "Thorax"}
        return [
            ct_file(
                ct_header(
                    number,
                    SOPInstanceUID=f"{(uids | elements)['SeriesInstanceUID']}.{number + 1}",
                    **(uids | described | measured | elements),
                ),
                values[number % len(values)],
            )
            for number in range(slices)
        ]

    return make


@pytest.fixture(scope="session")
def quick() -> TrainConfig:
    """A run that trains only its head, to be quick."""
    return TrainConfig(
        backbone="efficientnet_lite0",
        image_size=64,
        epochs=3,
        batch_size=10,
        trainable_share=0.0,
        pretrained=False,
        probe_views=1,
    )


@pytest.fixture(scope="session")
def trained_run(make_once, phantom_dataset, quick) -> Path:
    """A finished run of two epochs, one slice left out."""

    def fill(folder: Path) -> None:
        from covidct.training.fit import fit

        fit(phantom_dataset, folder, replace(quick, epochs=2), exclude=["CT_COVID/a.png"])

    return make_once("trained", fill)


@pytest.fixture(scope="session")
def tiny_model(make_once) -> Path:
    """An untrained network of 64 pixels a side, with a card."""

    def fill(folder: Path) -> None:
        import keras

        from covidct.inference.calibration import Calibration
        from covidct.inference.card import ModelCard
        from covidct.models.folding import fold_batch_norm
        from covidct.models.litert import float_graph
        from covidct.models.network import build_network, head_of
        from covidct.training.keep import write_model_files

        keras.utils.set_random_seed(1)
        network = fold_batch_norm(build_network("efficientnet_lite0", (64, 64), pretrained=False))
        calibration = Calibration(1.0, 0.5, (0.49, 0.51))
        card = ModelCard("tiny", "", "efficientnet_lite0", (64, 64), "backbone", calibration)
        files = (network, float_graph(network), head_of(network))
        write_model_files(folder, card, *files).write(folder)

    return make_once("tiny", fill)
