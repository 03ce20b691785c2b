"""Every metric of ours that there is."""

from stratum_orchestrator.api.instruments import Instruments


class Board(Instruments):
    """One instrument for each thing that is measured."""

    def __init__(self) -> None:
        super().__init__()
        self.build = self.info("stratum_build", "What runs here.", "version", "commit")
        self._about_events()
        self._about_runs()
        self._about_questions()
        self._about_steps()
        self._about_credentials()
        self._about_definitions()
        self._about_state()
        self.process()

    def _about_events(self) -> None:
        self.received = self.counter(
            "stratum_events_received", "Events with a verdict.", "verdict"
        )
        self.rejected = self.counter("stratum_events_rejected", "Events refused.", "reason")
        self.waited = self.histogram(
            "stratum_event_wait_seconds",
            "From when the broker stored an event until what became of it was decided.",
        )
        self.ahead = self.gauge(
            "stratum_broker_clock_ahead_seconds",
            "How far the broker's clock was ahead of this one's, by the latest event.",
        )
        self.decisions = self.counter(
            "stratum_authz_decisions", "What the policies said of events.", "decision"
        )

    def _about_runs(self) -> None:
        self.runs = self.counter("stratum_runs", "Runs that ended.", "pipeline", "status")
        self.partial = self.counter(
            "stratum_runs_partial",
            "Runs that ended with something not undone.",
            "pipeline",
        )
        self.in_progress = self.gauge(
            "stratum_runs_in_progress",
            "Runs of this instance that are neither over nor suspended.",
            "pipeline",
        )
        self.run_time = self.histogram(
            "stratum_run_duration_seconds",
            "From acceptance to the end.",
            "pipeline",
            "status",
        )
        self.oldest = self.asked(
            "stratum_oldest_run_age_seconds",
            "Age of the oldest run of this instance that is neither over nor suspended.",
        )
        self.unresolved = self.gauge(
            "stratum_runs_unresolved",
            "Runs that need a person, of all instances, at most 1000; counted twice a minute.",
        )
        self.recovered = self.counter(
            "stratum_recovered_runs", "Runs taken up again at a start."
        )
        self.taken = self.counter(
            "stratum_taken_over_runs", "Unfinished runs taken over from other instances."
        )

    def _about_questions(self) -> None:
        self.questions = self.asked(
            "stratum_checkpoints_open", "Questions of this instance's runs that are open."
        )
        self.oldest_question = self.asked(
            "stratum_oldest_checkpoint_age_seconds", "Age of the oldest of them."
        )
        self.answered = self.counter(
            "stratum_checkpoints",
            "Questions that were closed: `approved`, `rejected`, `timed-out`, `withdrawn`.",
            "result",
        )

    def _about_steps(self) -> None:
        self.attempts = self.counter("stratum_step_attempts", "Attempts at steps.", "node")
        self.step_time = self.histogram(
            "stratum_step_duration_seconds",
            "From an attempt's start to its end.",
            "node",
            "status",
        )
        self.cpu = self.counter(
            "stratum_step_cpu_seconds",
            "Processor time of attempts and compensations, `user` or `system`.",
            "node",
            "mode",
        )
        self.rss = self.gauge(
            "stratum_step_max_rss_bytes",
            "The most memory that one of its processes had, as far as the kernel could tell.",
            "node",
        )
        self.undone = self.counter(
            "stratum_compensations",
            "Attempts at compensations that ended.",
            "node",
            "result",
        )

    def _about_credentials(self) -> None:
        self.lent = self.asked(
            "stratum_credentials_active", "Credentials that are lent and not taken back."
        )
        self.owed = self.asked(
            "stratum_credentials_owed",
            "Credentials whose process is over and that could not be taken back yet.",
        )
        self.returned = self.counter(
            "stratum_credential_revocations",
            "Credentials that ended: `revoked`, or left to their expiry.",
            "result",
        )

    def _about_definitions(self) -> None:
        self.nodes = self.gauge("stratum_graph_nodes", "Nodes of the current generation.")
        self.generation = self.info("stratum_generation", "What is in force.", "digest")
        self.reloaded = self.gauge(
            "stratum_graph_reload_timestamp_seconds",
            "When the current generation took over, Unix time.",
        )
        self.reloads = self.counter(
            "stratum_reload",
            "Attempts at a new generation: `live`, `unchanged`, `refused`, `failed`.",
            "outcome",
        )
        self.attempted = self.gauge(
            "stratum_reload_timestamp_seconds",
            "When definitions were looked through last, Unix time.",
        )

    def _about_state(self) -> None:
        self.checks = self.gauge(
            "stratum_check_ok", "Whether a check of readiness holds, 1 or 0.", "check"
        )
        self.writes = self.histogram(
            "stratum_db_write_duration_seconds", "Time until facts are durable."
        )
        self.free = self.asked(
            "stratum_disk_free_bytes", "Room where the daemon keeps its home."
        )
