"""The circuit of one plugin: three failures in five minutes, and it rests for five. Pure."""

from __future__ import annotations

from dataclasses import dataclass

STRIKES = 3
WINDOW_SECONDS = 300.0
REST_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """When a plugin failed or took too long of late, and until when it rests; in seconds of one clock."""

    strikes: tuple[float, ...] = ()
    rests_until: float = 0.0

    def is_open(self, at: float) -> bool:
        """Tell whether the plugin rests."""
        return at < self.rests_until

    def struck(self, at: float) -> Circuit:
        """Return the circuit after one more failure."""
        recent = (*(strike for strike in self.strikes if at - WINDOW_SECONDS < strike <= at), at)
        if len(recent) < STRIKES:
            return Circuit(recent, self.rests_until)
        return Circuit((), at + REST_SECONDS)
