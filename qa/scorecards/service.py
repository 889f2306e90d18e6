"""What can be done with scorecards: draft a version, activate it, retire it.

An activated version never changes again; a lint error or a failing test of the form itself keeps
it from being activated.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit
from qa.core.actor import Actor, Scope, by
from qa.core.errors import Conflict, Invalid
from qa.scorecards import queries
from qa.scorecards.document import DocumentError, load
from qa.scorecards.lint import lint
from qa.scorecards.models import ACTIVE, DRAFT, RETIRED, Scorecard, ScorecardVersion


def draft_version(
    session: Session, actor: Actor, *, text: str, now: datetime, is_demo: bool = False
) -> ScorecardVersion:
    """Keep a form's text as a draft: a new scorecard, or the next version of the one it names.

    An open draft of that scorecard is replaced. Raises ``Invalid`` when the text is no form.
    """
    require(actor, P.SCORECARD_EDIT_DRAFT, Scope())
    try:
        form = load(text).form
    except DocumentError as error:
        raise Invalid(str(error), field="yaml") from error
    scorecard = session.scalar(select(Scorecard).where(Scorecard.ref == form.form))
    if scorecard is None:
        scorecard = Scorecard(ref=form.form, title=form.title, created_at=now, is_demo=is_demo)
        session.add(scorecard)
        session.flush()
    version = session.scalar(
        select(ScorecardVersion).where(
            ScorecardVersion.scorecard_id == scorecard.id, ScorecardVersion.state == DRAFT
        )
    )
    if version is None:
        last = select(func.max(ScorecardVersion.number)).where(ScorecardVersion.scorecard_id == scorecard.id)
        number = (session.scalar(last) or 0) + 1
        version = ScorecardVersion(scorecard_id=scorecard.id, number=number, made_by_id=actor.id, made_at=now)
        session.add(version)
    version.yaml, version.title = text, form.title
    session.flush()
    audit.record(session, actor, "scorecard:edit_draft", "scorecard_version", version.id, now=now)
    return version


def activate_version(session: Session, actor: Actor, version_id: int, *, now: datetime) -> ScorecardVersion:
    """Make a draft the version that new evaluations use; the former one is retired.

    Raises ``Invalid`` with the first finding when lint or a test of the form fails.
    """
    require(actor, P.SCORECARD_ACTIVATE, Scope() if actor.id is None else by(actor.id))
    version = session.get(ScorecardVersion, version_id)
    if version is None or version.state != DRAFT:
        raise Conflict("Only a draft can be activated. Make a new draft from this version.")
    faults = [finding for finding in lint(version.yaml) if finding.severity == "error"]
    if faults:
        first = faults[0]
        raise Invalid(f"Line {first.line}: {first.message} ({len(faults)} in all.)", field="yaml")
    former = queries.find_active(session, actor, version.scorecard_id)
    if former is not None:
        former.state, former.retired_at = RETIRED, now
        session.flush()  # one active version at a time, in the database too
    version.state, version.activated_at, version.activated_by_id = ACTIVE, now, actor.id
    scorecard = session.get(Scorecard, version.scorecard_id)
    if scorecard is not None:
        scorecard.title = version.title
    audit.record(session, actor, "scorecard:activate", "scorecard_version", version.id, now=now)
    return version
