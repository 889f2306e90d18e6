"""What happens to evaluations, told to whoever reacts."""

from __future__ import annotations

from dataclasses import dataclass

from qa.core.outbox import Event


@dataclass(frozen=True, slots=True)
class EvaluationStarted(Event):
    """An evaluator opened a conversation to judge it."""

    evaluation_id: int


@dataclass(frozen=True, slots=True)
class EvaluationSubmitted(Event):
    """An evaluator finished a judgement."""

    evaluation_id: int
    interaction_id: int
    agent_id: int


@dataclass(frozen=True, slots=True)
class EvaluationReleased(Event):
    """The agent may read it now."""

    evaluation_id: int
    agent_id: int


@dataclass(frozen=True, slots=True)
class EvaluationAcknowledged(Event):
    """The agent has read it."""

    evaluation_id: int
    agent_id: int


@dataclass(frozen=True, slots=True)
class EvaluationRevised(Event):
    """A submitted evaluation was changed, with a reason."""

    evaluation_id: int
    number: int
    agent_id: int


@dataclass(frozen=True, slots=True)
class EvaluationVoided(Event):
    """An evaluation counts no more."""

    evaluation_id: int
    agent_id: int
