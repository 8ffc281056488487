"""Severity of whole patients as found, held against severity by masks that people drew.

The share of the lungs' volume and the score of six zones are those that the pages show
(:func:`covidct.inference.opacities.series_opacities`), once from drawn lungs and opacities and once
from those that the network finds.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from covidct.data.masks import read_masked_slices
from covidct.errors import DatasetError
from covidct.evaluation.opacities.measures import Found, found_by
from covidct.files import replace_text
from covidct.imaging.anatomy.segmentation import segmentation_id, shipped_segmenter
from covidct.inference.opacities import OpacityFindings, areas_of_sides, series_opacities
from covidct.messages import N_
from covidct.stats.bootstrap import interval, patient_weights

SEVERITY_FILE = "severity.json"
_FEWEST = 3  # patients of whom a correlation says anything


def measure_severity(
    folders: Sequence[Path], out: Path, progress: Callable[[Iterable], Iterable] = iter
) -> dict[str, Any]:
    """Measure the network in use on folders of slices with masks; write ``severity.json``.

    Args:
        folders: of whole patients, as :func:`covidct.data.masks.read_masked_slices` reads them.
        out: folder for the file, made if needed.
        progress: wraps the slices.

    Returns:
        What the file holds: "segmentation", the network's SHA-256, "out_of_patient", false, since
        nobody knows here which patients it learnt from, and what :func:`severity` gives.

    Raises:
        DatasetError: a folder has another layout, or no opacity is drawn.
    """
    segmenter = shipped_segmenter()
    slices = [one for folder in folders for one in read_masked_slices(folder)]
    found = [found_by(segmenter, one) for one in progress(slices)]
    figures = {"segmentation": segmentation_id(), "out_of_patient": False, **severity(found)}
    out.mkdir(parents=True, exist_ok=True)
    replace_text(out / SEVERITY_FILE, json.dumps(figures, indent=2) + "\n")
    return figures


def severity(found: Sequence[Found]) -> dict[str, Any]:
    """Severity of each patient of the sources on which opacities were drawn.

    Args:
        found: all slices of whole patients, in the order of the body.

    Returns:
        "patients", a row each: patient, slices, and of "drawn" and "found" each the share of the
        lungs' volume ("share_drawn") and the score from 0 to 24 ("severity_drawn"); "share" and
        "severity", as :func:`agreement` of them.

    Raises:
        DatasetError: no opacity is drawn.
    """
    drawn_on = {one.masked.source for one in found if one.masked.opacities.any()}
    if not drawn_on:
        raise DatasetError(N_("No opacity is drawn on these slices."))
    patients: dict[str, list[Found]] = {}
    for one in found:
        if one.masked.source in drawn_on and one.masked.lungs.any():
            patients.setdefault(one.masked.patient, []).append(one)
    rows = [_row(patient, own) for patient, own in patients.items()]
    return {
        "patients": rows,
        **{name: agreement(rows, name) for name in ("share", "severity")},
    }


def _row(patient: str, slices: Sequence[Found]) -> dict[str, Any]:
    drawn, found = (
        series_opacities([_findings(*layers) for layers in pairs], from_the_feet=False)
        for pairs in (
            [(one.masked.lungs > 0, one.masked.opacities > 0) for one in slices],
            [(one.lungs, one.mask) for one in slices],
        )
    )
    return {
        "patient": patient,
        "slices": len(slices),
        "share_drawn": drawn.volume_share,
        "share_found": found.volume_share,
        "severity_drawn": drawn.severity,
        "severity_found": found.severity,
    }


def _findings(lungs: np.ndarray, opaque: np.ndarray) -> OpacityFindings:
    lung_areas, opacity_areas = areas_of_sides(lungs, opaque)
    share = sum(opacity_areas) / max(1, sum(lung_areas))
    return OpacityFindings(share, "", "", lung_areas, opacity_areas)


def agreement(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """How well a figure of patients agrees with the same by drawn masks.

    Args:
        rows: of a patient each, holding "<name>_drawn" and "<name>_found".
        name: of the figure.

    Returns:
        "patients", how many; "error", the mean absolute difference; "bias", the mean of found less
        drawn; "correlation" (Pearson's) with its 95 % interval over resampled patients, None of
        fewer than three.
    """
    drawn, found = (np.array([row[f"{name}_{how}"] for row in rows]) for how in ("drawn", "found"))
    figures: dict[str, Any] = {
        "patients": len(rows),
        "error": float(np.abs(found - drawn).mean()),
        "bias": float((found - drawn).mean()),
        "correlation": None,
        "correlation_ci95": None,
    }
    if len(rows) >= _FEWEST:
        weights = patient_weights(np.ones(len(rows)), np.arange(len(rows)).astype(str))
        value, *resampled = _correlations(drawn, found, weights).tolist()
        if np.isfinite(value):
            known = [one for one in resampled if np.isfinite(one)]
            figures |= {"correlation": value, "correlation_ci95": list(interval(known))}
    return figures


def as_text(figures: Mapping[str, Any]) -> list[str]:
    """The figures of a file as lines, the same on the card and the command line."""
    share, score = figures["share"], figures["severity"]
    seen = (
        "by networks that saw none of the patient"
        if figures["out_of_patient"]
        else "by the network in use, which may have learnt from these very patients"
    )
    return [
        f"Severity of {share['patients']} patients as found, {seen}, against drawn masks:",
        "",
        f"- share of the lungs' volume: {differences(share)}",
        f"- score of six zones, 0 to 24: mean error {score['error']:.1f}, bias "
        f"{score['bias']:+.1f}, {_correlation_text(score)}",
    ]


def differences(share: Mapping[str, Any]) -> str:
    """What :func:`agreement` gives of a share of the lungs, in points, in one line."""
    return (
        f"mean error {100 * share['error']:.1f} points, bias {100 * share['bias']:+.1f}, "
        f"{_correlation_text(share)}"
    )


def _correlation_text(figures: Mapping[str, Any]) -> str:
    if figures["correlation"] is None:
        return "too few patients for a correlation"
    low, high = figures["correlation_ci95"]
    return f"correlation {figures['correlation']:.2f} (95 % interval {low:.2f} to {high:.2f})"


def _correlations(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted correlation for each row of weights; NaN where one of the two does not vary."""
    weights = weights / weights.sum(axis=-1, keepdims=True)
    away = [values - (weights @ values)[:, None] for values in (one, other)]
    covariance, *variances = (
        (weights * a * b).sum(axis=-1) for a, b in (away, *((x, x) for x in away))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return covariance / np.sqrt(variances[0] * variances[1])
