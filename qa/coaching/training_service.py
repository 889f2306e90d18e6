"""What can be done with the training library: make a module, publish its next version, retire it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import delete
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.coaching import quiz
from qa.coaching.training_models import (
    FILE_MAX,
    SUMMARY_MAX,
    TEXT_MAX,
    TITLE_MAX,
    URL_MAX,
    TrainingFile,
    TrainingModule,
    TrainingNeed,
    TrainingTag,
    TrainingVersion,
)
from qa.coaching.training_queries import get_module
from qa.core import audit
from qa.core.actor import Actor, by
from qa.core.errors import Conflict, Invalid
from qa.core.text import checked, checked_name


@dataclass(frozen=True, slots=True)
class Content:
    """What a version holds, as it was typed; ``file`` is a name and bytes, None to keep the former one."""

    title: str
    summary: str = ""
    minutes: int | None = None
    text: str = ""
    video_url: str = ""
    file: tuple[str, bytes] | None = None
    quiz: str = ""
    pass_percent: int = 80
    tries: int = 3
    certificate_months: int | None = None
    needs: Sequence[int] = ()
    tags: Sequence[tuple[int, str]] = ()


def add_module(
    session: Session, actor: Actor, content: Content, *, now: datetime, is_demo: bool = False
) -> TrainingModule:
    """Make a module with its first version; it is in the library at once."""
    require(actor, P.TRAINING_EDIT, by(actor.id))
    module = TrainingModule(
        title=_title(content), owner_id=actor.id, created_at=now, is_demo=is_demo, versions=[]
    )
    session.add(module)
    session.flush()
    _publish(session, actor, module, content, number=1, now=now)
    audit.record(session, actor, "training:add", "training_module", module.id, now=now)
    return module


def publish_version(
    session: Session, actor: Actor, module_id: int, content: Content, *, seen: int, now: datetime
) -> TrainingModule:
    """Publish a module's next version: who has it keeps theirs, who gets it from now on gets this one.

    Raises ``Conflict`` when somebody published another one since version ``seen``.
    """
    module = get_module(session, actor, module_id, lock=True)
    require(actor, P.TRAINING_EDIT, module.scope)
    if module.newest != seen:
        raise Conflict("Somebody published a newer version meanwhile. Open it and change that one.")
    if module.id in content.needs:
        raise Invalid("A module cannot need itself.", field="needs")
    module.title = _title(content)
    module.newest = seen + 1
    _publish(session, actor, module, content, number=seen + 1, now=now)
    audit.record(session, actor, "training:publish", "training_module", module.id, now=now)
    return module


def retire_module(session: Session, actor: Actor, module_id: int, *, now: datetime) -> TrainingModule:
    """Take a module out of the library; whoever has it can still read and finish it."""
    module = get_module(session, actor, module_id, lock=True)
    require(actor, P.TRAINING_EDIT, module.scope)
    if module.retired_at is None:
        module.retired_at = now
        audit.record(session, actor, "training:retire", "training_module", module.id, now=now)
    return module


def restore_module(session: Session, actor: Actor, module_id: int, *, now: datetime) -> TrainingModule:
    """Put a retired module back into the library."""
    module = get_module(session, actor, module_id, lock=True)
    require(actor, P.TRAINING_EDIT, module.scope)
    if module.retired_at is not None:
        module.retired_at = None
        audit.record(session, actor, "training:restore", "training_module", module.id, now=now)
    return module


def _title(content: Content) -> str:
    return checked_name(content.title, field="title", label="The title", limit=TITLE_MAX)


def _publish(
    session: Session, actor: Actor, module: TrainingModule, content: Content, *, number: int, now: datetime
) -> None:
    """Add a version and set what the module helps with and what has to be done before it."""
    former = next((one for one in module.versions if one.number == number - 1), None)
    version = TrainingVersion(
        module_id=module.id,
        number=number,
        summary=checked(content.summary.strip(), field="summary", label="The summary", limit=SUMMARY_MAX),
        minutes=content.minutes,
        text=checked(content.text.strip(), field="text", label="The text", limit=TEXT_MAX),
        video_url=_video(content.video_url.strip()),
        quiz=_quiz(content.quiz.strip()),
        pass_percent=content.pass_percent,
        tries=content.tries,
        certificate_months=content.certificate_months,
        made_by_id=actor.id,
        made_at=now,
    )
    _keep_file(version, content, former)
    if not (version.text or version.video_url or version.quiz or version.file):
        raise Invalid(
            "Give the module a text, a file, a video or a quiz: one of them at least.", field="text"
        )
    session.add(version)
    session.execute(delete(TrainingTag).where(TrainingTag.module_id == module.id))
    session.execute(delete(TrainingNeed).where(TrainingNeed.module_id == module.id))
    session.add_all(
        TrainingTag(module_id=module.id, scorecard_id=card, question=ref) for card, ref in set(content.tags)
    )
    session.add_all(TrainingNeed(module_id=module.id, needs_id=one) for one in set(content.needs))
    session.flush()


def _keep_file(version: TrainingVersion, content: Content, former: TrainingVersion | None) -> None:
    if content.file is not None:
        name, data = content.file
        if len(data) > FILE_MAX:
            raise Invalid(f"A file may have {FILE_MAX // 1000} kB. Link a larger one.", field="file")
        if not data:
            raise Invalid("This file is empty.", field="file")
        version.file_name = checked_name(name, field="file", label="The name of the file", limit=TITLE_MAX)
        version.file = TrainingFile(content=data)
    elif former is not None and former.file is not None:
        version.file_name = former.file_name
        version.file = TrainingFile(content=former.file.content)


def _video(url: str) -> str:
    if not url:
        return ""
    url = checked(url, field="video_url", label="The link", limit=URL_MAX, multiline=False)
    try:
        parts = urlsplit(url)
        is_good = parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        is_good = False
    if not is_good:
        raise Invalid("A link to a video begins with https:// and names a site.", field="video_url")
    return url


def _quiz(text: str) -> str:
    text = checked(text, field="quiz", label="The quiz", limit=TEXT_MAX)
    try:
        quiz.read(text)
    except quiz.QuizError as error:
        raise Invalid(str(error), field="quiz") from error
    return text
