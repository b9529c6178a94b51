"""`/metrics` in the text format of Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from backend.app.extensions.metrics import JobCount, exposition


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_jobs_by_queue_and_status_with_the_age_of_the_waiting() -> None:
    jobs = [
        JobCount("default", "pending", 3, 12.5),
        JobCount("long", "running", 1, 2.0),
        JobCount("long", "dead", 2, 900.0),
    ]
    found = samples(exposition(jobs, 77).decode())
    assert found["touchstone_jobs", "queue=default", "status=pending"] == 3
    assert found["touchstone_jobs", "queue=long", "status=dead"] == 2
    assert found["touchstone_job_oldest_seconds", "queue=default", "status=pending"] == 12.5
    assert found["touchstone_job_oldest_seconds", "queue=long", "status=running"] == 2.0
    assert ("touchstone_job_oldest_seconds", "queue=long", "status=dead") not in found
    assert found["touchstone_scan_requests",] == 77


def test_an_empty_database_is_readable_too() -> None:
    assert samples(exposition([], 0).decode())["touchstone_scan_requests",] == 0
