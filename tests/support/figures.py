"""What a server tells Prometheus."""

import requests
from prometheus_client.parser import text_string_to_metric_families


def figures_of(url: str, token: str) -> dict[tuple[str, ...], float]:
    """Its figures, by name and the values of their labels."""
    answer = requests.get(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"})
    answer.raise_for_status()
    families = text_string_to_metric_families(answer.text)
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def slices_in(figures: dict[tuple[str, ...], float]) -> int:
    """How many slices were judged or refused."""
    counted = [value for (name, *_), value in figures.items() if name == "covidct_verdicts_total"]
    return round(sum(counted))
