"""The worker of a site: which kinds of work there are, who reacts to which event, what is due when.

``REACTIONS``, ``make_kinds`` and ``SCHEDULES`` are the three tables of what happens in the background.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from huey.consumer import Consumer

from qa.accounts.jobs import apply_due_memberships
from qa.accounts.notices_service import forget_old_notices
from qa.accounts.once import forget_old
from qa.coaching import jobs as coaching
from qa.coaching import plugin_view as coaching_view
from qa.coaching import training_rules
from qa.config import Settings
from qa.core import clock, crypto, jobs, outbox, transport
from qa.core.actor import SYSTEM
from qa.core.bell import Bell, make_bell
from qa.core.db import Database
from qa.core.storage import LocalStorage
from qa.core.working import ChildKind, Kind, Kinds, Payload, Worker
from qa.evaluations import autoscorer_jobs, write_back
from qa.evaluations import plugin_view as evaluation_view
from qa.evaluations.jobs import note_evaluated, release_due
from qa.extensions import events, mail_sending, mail_service, notices
from qa.extensions import jobs as extensions
from qa.extensions.look_service import LOOK_JOB
from qa.extensions.outgoing_service import Carrier, forget_settled
from qa.extensions.runtime import Runtime
from qa.interactions import jobs as recordings
from qa.interactions import original_service, redaction_jobs, speech_jobs, transcript_view
from qa.interactions import plugin_view as interaction_view
from qa.interactions.alias_service import REATTRIBUTE_JOB
from qa.interactions.sources import jobs as sources
from qa.interactions.sources import push_service
from qa.interactions.sources.connectors import Connectors

REACTIONS: outbox.Reactions = {
    "EvaluationSubmitted": (
        ("interactions.note_evaluated", note_evaluated),
        ("evaluations.look_for_drift", autoscorer_jobs.look_for_drift),
        ("coaching.measure_again", coaching.measure_again),
    ),
    "EvaluationStarted": (("evaluations.suggest_for_started", autoscorer_jobs.ask_for_started),),
    "ConversationEnriched": (("evaluations.suggest_for_enriched", autoscorer_jobs.ask_for_enriched),),
    "EvaluationReleased": (("coaching.show_to_coach", coaching.show_to_coach),),
    "PlanStarted": (("coaching.begin_measuring", coaching.begin_measuring),),
}
"""Event: who reacts. Every arrow that points upward in the house is a line here."""

TOLD_TO_PLUGINS: dict[str, events.ReadPayload] = {
    "EvaluationSubmitted": events.about(evaluation_view.HOOK, "submitted", "evaluation_id"),
    "EvaluationReleased": events.about(evaluation_view.HOOK, "released", "evaluation_id"),
    "EvaluationAcknowledged": events.about(evaluation_view.HOOK, "acknowledged", "evaluation_id"),
    "EvaluationRevised": events.about(evaluation_view.HOOK, "revised", "evaluation_id"),
    "EvaluationVoided": events.about(evaluation_view.HOOK, "voided", "evaluation_id"),
    "InteractionsChanged": interaction_view.happenings,
    "TranscriptReady": events.about(transcript_view.HOOK, "ready", "interaction_id"),
    "CoachingChanged": coaching_view.happenings,
}
"""Event: which hook of plugins is told of it, and what."""

SCHEDULES = (
    ("evaluations.release_due", timedelta(minutes=1)),
    (redaction_jobs.WAITING_JOB, timedelta(minutes=1)),
    (LOOK_JOB, timedelta(minutes=1)),
    (sources.TICK_JOB, timedelta(seconds=15)),
    (coaching.TICK_JOB, timedelta(minutes=5)),
    ("hourly", timedelta(hours=1)),
    ("daily", timedelta(days=1)),
)

MEDIA_SECONDS = 1_800.0
KEEP_FINISHED = timedelta(days=7)
LEAVE_SECONDS = 25


def make_kinds(settings: Settings, keys: crypto.Keys, plugins: Runtime, runner: sources.Runner) -> Kinds:
    """Return every kind of work by its name."""
    redaction = redaction_jobs.Redaction(keys, plugins, settings.redaction_patterns)
    return {
        "noop": Kind(_noop),
        outbox.JOB_KIND: Kind(partial(_deliver, make_reactions(keys, plugins, settings.zone))),
        **extensions.kinds(plugins, keys, make_carriers(settings, keys)),
        **sources.kinds(runner),
        "evaluations.release_due": Kind(_release),
        autoscorer_jobs.SUGGEST_JOB: Kind(autoscorer_jobs.Autoscoring(plugins).run),
        coaching.TICK_JOB: Kind(partial(_coaching, settings)),
        coaching.MEASURE_JOB: Kind(partial(coaching.measure, settings.zone)),
        REATTRIBUTE_JOB: Kind(recordings.move_history),
        **redaction_jobs.kinds(redaction),
        **speech_jobs.kinds(
            speech_jobs.Speech(keys, plugins, runner.storage, settings.speech_path, redaction)
        ),
        "hourly": Kind(partial(_hourly, settings)),
        "daily": Kind(partial(_daily, settings)),
        "media.describe": ChildKind(
            brief=partial(recordings.brief_examiner, settings.recordings_path, keys),
            work="qa.interactions.examine:examine",
            keep=recordings.keep_answer,
            give_up=recordings.give_up,
            deadline_seconds=MEDIA_SECONDS,
        ),
    }


WRITTEN_BACK = {
    "EvaluationReleased": "released",
    "EvaluationRevised": "revised",
    "EvaluationVoided": "voided",
}
"""Event: what a source that asks for it is told of an evaluation of one of its conversations."""


def make_reactions(keys: crypto.Keys, plugins: Runtime, zone: ZoneInfo) -> outbox.Reactions:
    """Return who reacts to which event: our own first, then plugins."""
    ruled = {"EvaluationSubmitted": ("coaching.suggest_plan", partial(coaching.suggest_plan, zone))}
    told = {name: ("plugins", events.reaction(plugins, keys, read)) for name, read in TOLD_TO_PLUGINS.items()}
    noted = {name: ("sources", write_back.reaction(keys, change)) for name, change in WRITTEN_BACK.items()}
    mailed = {"NoticeMade": ("mail", partial(mail_service.put_down, keys))}
    speech = speech_jobs.reactions(plugins)
    others = (ruled, noted, told, mailed)
    names = {*REACTIONS, *speech, *(name for table in others for name in table)}
    return {
        name: (
            *REACTIONS.get(name, ()),
            *speech.get(name, ()),
            *(table[name] for table in others if name in table),
        )
        for name in names
    }


def make_carriers(settings: Settings, keys: crypto.Keys) -> dict[str, Carrier]:
    """Return who delivers what goes out, by the kind of what it is."""
    public_url = settings.public_url.rstrip("/")
    makers: dict[str, events.MakeArguments] = {
        evaluation_view.HOOK: partial(evaluation_view.arguments, public_url),
        interaction_view.HOOK: partial(interaction_view.arguments, public_url),
        transcript_view.HOOK: partial(transcript_view.arguments, public_url),
        coaching_view.HOOK: partial(coaching_view.arguments, public_url),
    }
    return {
        events.EVENT: partial(events.carry, makers),
        notices.NOTICE: notices.carry,
        push_service.WORK: partial(write_back.carry, settings, keys),
        mail_service.MAIL: partial(mail_sending.carry, settings, keys),
    }


def _noop(_database: Database, _payload: Payload) -> None:
    return


def _deliver(reactions: outbox.Reactions, database: Database, _payload: Payload) -> None:
    again_at = outbox.deliver(database, reactions)
    if again_at is None:
        return
    with database.transaction() as session:
        kind = outbox.JOB_KIND
        jobs.enqueue(session, kind, {}, now=clock.now(), run_after=again_at, alone_key=kind)


def _release(database: Database, _payload: Payload) -> None:
    release_due(database, clock.now())


def _coaching(settings: Settings, database: Database, _payload: Payload) -> None:
    coaching.tick(database, settings.zone, clock.now())


def _hourly(settings: Settings, database: Database, _payload: Payload) -> None:
    apply_due_memberships(database, clock.now(), settings.zone)
    training_rules.run_due(database, clock.now())
    with database.transaction() as session:
        forget_old(session, now=clock.now())


def _daily(settings: Settings, database: Database, _payload: Payload) -> None:
    now = clock.now()
    before = now - KEEP_FINISHED
    with database.transaction() as session:
        forget_old_notices(session, now=now)
    jobs.forget_finished(database, before=before)
    outbox.forget_delivered(database, before=before)
    forget_settled(database, before=before)
    with database.transaction() as session:
        original_service.try_again(session, SYSTEM, now=now)
    sources.forget_old(database, now=now)
    recordings.sweep_recordings(database, LocalStorage(settings.recordings_path), now=now)


def make_worker(settings: Settings, ring: Callable[[str], object]) -> Worker:
    """Return the worker of this site; ``start`` its threads, ``drain`` its queues, ``close`` it."""
    keys = crypto.load_keys(settings.key_path)
    plugins = Runtime(settings, keys)
    database, stopping = Database(settings.database), threading.Event()
    runner = sources.Runner(
        keys=keys,
        storage=LocalStorage(settings.recordings_path),
        folder=settings.data_path / "fetching",
        connectors=Connectors(plugins, database, keys, site_zone=settings.time_zone),
        stopping=stopping,
        patterns=settings.redaction_patterns,
    )
    worker = Worker(
        database,
        make_kinds(settings, keys, plugins, runner),
        schedules=SCHEDULES,
        ring=ring,
        children=settings.worker_children,
        stopping=stopping,
    )
    worker.at_close.append(plugins.close)
    return worker


class _Caller:
    """Rings the bell; where its carrier is away, has the work done in a thread of its own.

    One thread for each queue, called by each sweep: slower, but nothing waits for the carrier.
    """

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._guard = threading.Lock()
        self._busy: set[str] = set()
        self.drain: Callable[[str], object] = lambda _queue: None

    def __call__(self, queue: str) -> None:
        """Call for work on a queue."""
        if self._bell(queue):
            return
        with self._guard:
            if queue in self._busy:
                return
            self._busy.add(queue)
        threading.Thread(target=self._work, args=(queue,), daemon=True).start()

    def _work(self, queue: str) -> None:
        try:
            self.drain(queue)
        finally:
            self._busy.discard(queue)


class _Listener(Consumer):  # type: ignore[misc]  # Huey has no types
    """Huey's consumer, which ends gracefully on SIGTERM and SIGINT, at once on the second."""

    def __init__(self, worker: Worker, huey: Any, threads: int) -> None:
        super().__init__(
            huey,
            workers=threads,
            worker_type="thread",
            periodic=False,
            max_delay=0.3,
            shutdown_timeout=LEAVE_SECONDS,
        )
        self._worker = worker
        self._signal_actions = {signal.SIGTERM: (False, True), signal.SIGINT: (False, True)}

    def _handle_signal(self, signum: int, frame: Any) -> None:
        self._worker.stop()
        super()._handle_signal(signum, frame)


def run_worker(settings: Settings) -> None:
    """Work until told to stop."""
    watch_parent()
    bell = make_bell(settings.queue_url, settings.data_path)
    caller = _Caller(bell)
    worker = make_worker(settings, caller)
    caller.drain = worker.drain
    huey = transport.make_huey(settings.queue_url, settings.data_path)
    transport.task_of(huey, worker.drain)
    transport.silence(huey)
    # every child keeps one thread waiting; the others are there for short work
    listener = _Listener(worker, huey, settings.worker_threads + settings.worker_children)
    worker.start()
    try:
        listener.run()
    finally:
        worker.close()
        transport.close(huey)
        bell.close()


def watch_parent() -> None:
    """End this worker when the ``qa run`` that started it is gone."""
    parent = os.environ.get("QA_PARENT")
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(1)
        os._exit(70)

    threading.Thread(target=watch, daemon=True).start()


def run_until_empty(settings: Settings) -> int:
    """Do everything that is due, in this process, and return how many jobs ran."""
    worker = make_worker(settings, lambda _queue: None)  # nobody else is called: this process takes all
    ran = 0
    try:
        while some := sum(worker.drain(queue) for queue in jobs.QUEUES):
            ran += some
        return ran
    finally:
        worker.close()
