"""A clock that stands still until somebody sleeps: an hour's Retry-After costs no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from qa.plugins.api import Cancelled

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class VirtualClock:
    """Satisfies ``ctx.clock`` and the sync loop's clock.

    ``skew`` is added to what ``now`` answers, never to what passes: a host whose clock is wrong.
    ``cancel_at`` is the moment from which a sleeper is told that nobody wants the work any more.
    """

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.passed = 0.0
        self.skew = timedelta()
        self.cancel_at: float | None = None

    def now(self) -> datetime:
        """Return the present moment as this host believes it to be."""
        return self.true_now() + self.skew

    def true_now(self) -> datetime:
        """Return the present moment."""
        return self.start + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.passed

    def is_cancelled(self) -> bool:
        """Tell whether the work is unwanted by now."""
        return self.cancel_at is not None and self.passed >= self.cancel_at

    def sleep(self, seconds: float) -> None:
        """Let time pass; raise ``Cancelled`` at the moment the work becomes unwanted."""
        wakes = self.passed + max(seconds, 0.0)
        if self.cancel_at is not None and wakes >= self.cancel_at:
            self.passed = max(self.passed, self.cancel_at)
            raise Cancelled
        self.passed = wakes
