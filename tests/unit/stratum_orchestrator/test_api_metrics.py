from dataclasses import replace
from pathlib import Path

from stratum_orchestrator.api.desk import Outcome
from stratum_orchestrator.api.metrics import Metrics, Names
from stratum_state.model import Compensation, Trail, VerdictKind
from support import records
from support.desk import FixedClock


def test_runs_count_when_they_end_and_are_in_progress_before() -> None:
    metrics = Metrics(FixedClock(), version="1.2.3")
    ended, alive = records.running(records.a_run("e1")), records.a_run("e2")

    metrics.observe([records.a_run("e1"), alive, ended, records.completed(ended)])

    assert _samples(metrics) >= {
        'stratum_runs_total{pipeline="build",status="completed"} 1.0',
        'stratum_runs_in_progress{pipeline="build"} 1.0',
        'stratum_run_duration_seconds_sum{pipeline="build",status="completed"} 0.1',
        "stratum_oldest_run_age_seconds 10.0",
    }


def test_attempts_and_their_durations_are_counted_by_node() -> None:
    metrics = Metrics(FixedClock(), version="1.2.3")
    step = records.a_step(records.a_run())

    metrics.observe([step, records.failed(step)])

    assert _samples(metrics) >= {
        'stratum_step_attempts_total{node="lint"} 1.0',
        'stratum_step_duration_seconds_count{node="lint",status="failed"} 1.0',
    }


def test_compensations_are_counted_by_their_result() -> None:
    metrics = Metrics(FixedClock(), version="1.2.3")
    run = records.a_run()
    undo = records.a_compensation(run)
    back = records.compensating(records.running(run))

    metrics.observe([undo, records.undone(undo), records.compensated(back, Compensation.CLEAN)])

    assert _samples(metrics) >= {
        'stratum_compensations_total{node="lint",result="done"} 1.0',
        'stratum_runs_total{pipeline="build",status="compensated"} 1.0',
    }


def test_refused_events_are_counted_by_reason() -> None:
    metrics = Metrics(FixedClock(), version="1.2.3")

    metrics.observe([records.a_verdict(), records.a_verdict(kind=VerdictKind.REFUSED)])

    assert _samples(metrics) >= {
        'stratum_events_received_total{verdict="accepted"} 1.0',
        'stratum_events_received_total{verdict="refused"} 1.0',
        'stratum_events_rejected_total{reason="refused"} 1.0',
    }


def test_the_state_of_the_daemon_is_told() -> None:
    metrics = Metrics(FixedClock(), version="1.2.3", commit="abc")

    metrics.generation("sha256:1", 12)
    refused = Outcome(kind="refused", reason="", generation="sha256:1", at=2000)
    metrics.reloaded(refused, 12)
    metrics.decision(allowed=False)
    metrics.recovered(3)

    assert _samples(metrics) >= {
        'stratum_build_info{commit="abc",version="1.2.3"} 1.0',
        "stratum_graph_nodes 12.0",
        'stratum_generation_info{digest="sha256:1"} 1.0',
        'stratum_reload_total{outcome="refused"} 1.0',
        "stratum_reload_timestamp_seconds 2.0",
        'stratum_authz_decisions_total{decision="deny"} 1.0',
        "stratum_recovered_runs_total 3.0",
    }


def test_names_beyond_the_limit_are_counted_together() -> None:
    names = Names(2)

    kept = [names(each) for each in ("a", "b", "c", "a")]

    assert kept == ["a", "b", "other", "a"]


def _samples(metrics: Metrics) -> set[str]:
    return set(metrics.exposition().decode().splitlines())


def test_a_check_of_readiness_is_asked_at_every_look() -> None:
    metrics = Metrics(FixedClock(), version="1.2.3")
    holds = [True, False]

    metrics.check("nats", lambda: holds.pop(0))

    assert 'stratum_check_ok{check="nats"} 1.0' in _samples(metrics)
    assert 'stratum_check_ok{check="nats"} 0.0' in _samples(metrics)


def test_what_processes_used_is_added_up_by_node() -> None:
    metrics = Metrics(FixedClock(), version="1.2.3")
    used = '{"cpu_ms":900,"max_rss":%s,"system_ms":300,"user_ms":600,"wall_ms":1000}'
    step = records.a_step(records.a_run())

    for peak in ("4096", "null", "1024"):
        metrics.observe([replace(records.succeeded(step), resources=used % peak)])

    assert _samples(metrics) >= {
        'stratum_step_cpu_seconds_total{mode="user",node="lint"} 1.7999999999999998',
        'stratum_step_cpu_seconds_total{mode="system",node="lint"} 0.8999999999999999',
        'stratum_step_max_rss_bytes{node="lint"} 4096.0',
    }


def test_runs_and_leases_of_an_earlier_life_count_as_ours() -> None:
    metrics = Metrics(FixedClock(), version="1.2.3")
    run = records.running(records.a_run())
    lease = records.issued(records.a_lease(run))
    over = records.completed(records.running(records.a_run("e2")))

    metrics.adopt([Trail(run=run, leases=(lease,)), Trail(run=over)])

    assert _samples(metrics) >= {
        'stratum_runs_in_progress{pipeline="build"} 1.0',
        "stratum_oldest_run_age_seconds 10.0",
        "stratum_credentials_active 1.0",
    }
    metrics.observe([records.revoked(lease), records.revoked(lease)])
    assert "stratum_credentials_active 0.0" in _samples(metrics)


def test_how_long_an_event_waited_shows_a_clock_that_is_behind() -> None:
    metrics = Metrics(FixedClock(), version="1.2.3")
    verdict = records.a_verdict()

    metrics.observe([replace(verdict, at=verdict.stored + 2000)])
    metrics.observe([replace(verdict, at=verdict.stored - 7000)])

    assert _samples(metrics) >= {
        "stratum_event_wait_seconds_sum 2.0",
        "stratum_broker_clock_ahead_seconds 7.0",
    }


def test_what_is_only_known_elsewhere_is_asked_for(tmp_path: Path) -> None:
    metrics = Metrics(FixedClock(), version="1.2.3")

    metrics.watch_disk(tmp_path)
    metrics.watch_owed(lambda: 3)
    metrics.unresolved(2)

    samples = _samples(metrics)
    assert samples >= {"stratum_credentials_owed 3.0", "stratum_runs_unresolved 2.0"}
    assert "stratum_disk_free_bytes 0.0" not in samples


def test_a_run_that_was_not_undone_completely_is_counted() -> None:
    metrics = Metrics(FixedClock(), version="1.2.3")
    back = records.compensating(records.running(records.a_run()))

    metrics.observe([records.compensated(back, Compensation.PARTIAL)])

    assert 'stratum_runs_partial_total{pipeline="build"} 1.0' in _samples(metrics)
