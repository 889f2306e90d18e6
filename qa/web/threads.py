"""The threads that answer: some for people, and one that always has time for a question about health.

When the database holds everybody up, whoever watches the site still learns that it lives.
"""

from __future__ import annotations

from typing import Any

from waitress.task import ThreadedTaskDispatcher


class Threads(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Waitress's threads, with one more that takes ``/health`` past the queue."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.set_thread_count(count)
        self._health = ThreadedTaskDispatcher()
        self._health.set_thread_count(1)

    def add_task(self, task: Any) -> None:
        """Queue a request where its answer is waited for."""
        if any(request.path.startswith("/health") for request in getattr(task, "requests", ())[:1]):
            self._health.add_task(task)
        else:
            super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """Let the requests in work end, refuse those that wait."""
        self._health.shutdown(cancel_pending, timeout)
        return bool(super().shutdown(cancel_pending, timeout))
