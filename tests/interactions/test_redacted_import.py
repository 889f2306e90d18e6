"""What enters is stored redacted, the original lies sealed, and what cannot be redacted is shown nowhere."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from qa.accounts.models import User
from qa.config import Settings
from qa.core import crypto
from qa.core.actor import SYSTEM
from qa.core.audit import AuditEntry
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import Forbidden, Invalid, NotFound
from qa.core.storage import LocalStorage, SealedFile
from qa.extensions.models import Plugin
from qa.extensions.runtime import Runtime
from qa.interactions import jobs as recordings
from qa.interactions import original_service as originals
from qa.interactions import redacting
from qa.interactions.conversation import conversation_of
from qa.interactions.examine import examine
from qa.interactions.import_lines import Importer
from qa.interactions.media import decoded
from qa.interactions.models import PLAYABLE, RECORDING_KEY, Interaction, Recording, SealedOriginal, Turn
from qa.interactions.own_patterns import BadPattern, finder_of, name_finders
from qa.interactions.queries import get_conversation, heard_in
from qa.interactions.redaction import Hidden
from qa.interactions.redaction_jobs import Redaction
from qa.interactions.service import store_media_result
from tests.factories import NOW, actor_of, make_interaction, make_user
from tests.interactions.sounds import tone, wav

SignIn = Callable[[FlaskClient, User], None]
CARD = "5500 0000 0000 0004"
SAID: list[dict[str, Any]] = [
    {"speaker": "agent", "start": 0.5, "end": 2, "text": "Thanks Lena Berger, which card is it?"},
    {"speaker": "customer", "start": 2.5, "end": 4, "text": f"Card {CARD} please"},
    {"speaker": "agent", "start": 4.5, "end": 6, "text": "And the CVV?"},
    {"speaker": "customer", "start": 6.5, "end": 7, "text": "one two three"},
]
LINE: dict[str, Any] = {
    "external_id": "R-1",
    "channel": "voice",
    "subject": f"Refund to {CARD}",
    "started_at": "2026-03-14T09:30:00+01:00",
    "customer": {"name": "Lena Berger"},
    "agents": [{"email": "dana@example.org"}],
    "turns": SAID,
    "fields": {"order": "123456789", "paid with": CARD},
}


@pytest.fixture
def keys(settings: Settings) -> Keys:
    """The site's keys."""
    return crypto.load_keys(settings.key_path)


def bring(
    database: Database,
    keys: Keys,
    tmp_path: Path,
    folder: Path | None = None,
    *,
    patterns: tuple[str, ...] = ("CONTRACT: HM-######",),
    **over: Any,
) -> int:
    """Import one conversation and return its id."""
    importer = Importer(
        database,
        LocalStorage(tmp_path / "recordings"),
        keys,
        source="test",
        recordings=folder,
        creates_agents=True,
        patterns=patterns,
        now=NOW,
    )
    assert list(importer.run(io.BytesIO(json.dumps(LINE | over).encode()))) == []
    with database.reading() as session:
        wanted = select(Interaction.id).where(Interaction.external_id == str((LINE | over)["external_id"]))
        return session.scalars(wanted).one()


def everything_stored(database: Database) -> str:
    """All rows of all tables as one text: what a thief of the database file reads."""
    with database.reading() as session:
        tables = ("interaction", "turn", "sealed_original", "audit_entry", "outbox_event", "job")
        return "\n".join(
            str(row) for name in tables for row in session.execute(text(f"SELECT * FROM {name}"))
        )


def shown(database: Database, interaction_id: int) -> list[str]:
    """What a reader sees."""
    with database.reading() as session:
        found = get_conversation(session, SYSTEM, interaction_id)
        lines = conversation_of(found, heard_in(session, found.id)).lines
        return [line.text for line in lines if line.turn_id is not None]


def test_an_import_stores_redacted_texts_and_seals_the_originals(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    made = bring(database, keys, tmp_path)
    assert shown(database, made) == [
        "Thanks [NAME], which card is it?",
        "Card [CARD] please",
        "And the CVV?",
        "[CODE]",
    ]
    with database.reading() as session:
        row = session.get_one(Interaction, made)
        assert (row.redaction, row.subject) == ("done", "Refund to [CARD]")
        assert row.fields == {"order": "123456789", "paid with": "[CARD]"}
        sealed = session.scalars(select(SealedOriginal)).one()
        assert [one[3] for one in sealed.hidden] == ["NAME", "CARD", "CODE"]
        kept = redacting.unseal(keys, sealed.sealed)
    assert kept["turns"]["2"] == f"Card {CARD} please"
    assert kept["turns"]["4"] == "[CODE]", "a security code is kept nowhere, sealed or not"
    assert kept["subject"] == f"Refund to {CARD}"
    stored = everything_stored(database)
    assert CARD not in stored
    assert "one two three" not in stored


def test_what_holds_nothing_to_hide_is_not_sealed(database: Database, keys: Keys, tmp_path: Path) -> None:
    made = bring(database, keys, tmp_path, turns=SAID[2:3], subject="Refund", fields={}, customer={})
    assert shown(database, made) == ["And the CVV?"]
    with database.reading() as session:
        assert session.scalar(select(SealedOriginal.id)) is None


def test_the_same_line_changed_replaces_what_was_sealed(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    made = bring(database, keys, tmp_path)
    bring(database, keys, tmp_path, turns=SAID[1:2], updated_at="2026-03-15T09:30:00Z")
    assert shown(database, made) == ["Card [CARD] please"]
    with database.reading() as session:
        kept = redacting.unseal(keys, session.scalars(select(SealedOriginal.sealed)).one())
    assert kept["turns"] == {"1": f"Card {CARD} please"}


@pytest.mark.parametrize("fault", ["a crash", "a language"])
def test_a_redaction_that_fails_withholds_the_text_everywhere(
    app: Flask, client: FlaskClient, sign_in: SignIn, keys: Keys, tmp_path: Path, fault: str
) -> None:
    database: Database = app.extensions["candor"].database
    if fault == "a crash":  # a pattern that no finder can be made of: it raises in the middle of the work
        made = bring(database, keys, tmp_path, patterns=("broken",))
    else:
        made = bring(database, keys, tmp_path, language="de")
    assert shown(database, made) == []
    with database.transaction() as session:
        row = session.get_one(Interaction, made)
        assert row.redaction == "withheld"
        assert row.subject == ""
        assert [turn.stored for turn in session.scalars(select(Turn))] == [""] * 4
        manager = make_user(session, "manager")
    stored = everything_stored(database)
    assert CARD not in stored
    assert "which card" not in stored
    sign_in(client, manager)
    page = client.get(f"/interactions/{made}").get_data(as_text=True)
    assert "Withheld: " in page
    assert "are shown until then" in page
    assert "which card" not in page
    assert "which card" not in client.get("/interactions?q=card").get_data(as_text=True)


def test_what_was_withheld_is_shown_once_redaction_can(
    database: Database, keys: Keys, tmp_path: Path, settings: Settings
) -> None:
    made = bring(database, keys, tmp_path, language="de")
    with database.transaction() as session:
        assert originals.try_again(session, SYSTEM, now=NOW) == 1
        session.get_one(Interaction, made).language = "en"
    plugins = Runtime(settings, keys)
    Redaction(keys, plugins, ()).run(database, {})
    plugins.close()
    assert shown(database, made)[1] == "Card [CARD] please"
    with database.reading() as session:
        assert session.get_one(Interaction, made).subject == "Refund to [CARD]"
    assert CARD not in everything_stored(database)


def test_texts_from_before_are_hidden_until_the_worker_has_redacted_them(
    database: Database, keys: Keys, settings: Settings
) -> None:
    with database.transaction() as session:
        row = make_interaction(session, make_user(session, "agent"), redaction="waiting")
        for turn in session.scalars(select(Turn).where(Turn.interaction_id == row.id)):
            turn.is_redacted = False
            turn.stored = f"My card is {CARD}"
        row.subject = f"Card {CARD}"
    assert shown(database, row.id) == []
    with database.reading() as session:
        assert {turn.text for turn in session.scalars(select(Turn))} == {""}
    plugins = Runtime(settings, keys)
    Redaction(keys, plugins, ()).run(database, {})
    plugins.close()
    assert shown(database, row.id) == ["My card is [CARD]"] * 3
    assert CARD not in everything_stored(database)


def test_a_plugin_that_redacts_but_does_not_run_withholds_what_comes_in(
    database: Database, keys: Keys, settings: Settings, tmp_path: Path
) -> None:
    report = {
        "name": "cases",
        "state": "ok",
        "reason": "",
        "offers": [{"kind": "redactor", "key": "c", "title": "Cases"}],
    }
    with database.transaction() as session:
        session.add(Plugin(name="cases", distribution="cases", is_enabled=True, found_at=NOW, report=report))
    made = bring(database, keys, tmp_path)
    assert shown(database, made) == []
    plugins = Runtime(settings, keys)
    Redaction(keys, plugins, ()).run(database, {})
    plugins.close()
    with database.reading() as session:
        row = session.get_one(Interaction, made)
        assert (row.redaction, row.withheld_reason) == (
            "withheld",
            "Withheld: redaction has not finished: the plugin cases failed.",
        )
    assert "which card" not in everything_stored(database)


@pytest.mark.parametrize("place", [(0, 5, 5), (0, 0, 999), (9, 0, 1), (-1, 0, 1)])
def test_a_place_that_does_not_exist_withholds(keys: Keys, place: tuple[int, int, int]) -> None:
    raw = redacting.Raw([redacting.Said(1, "agent", "Hello there")])
    safe = redacting.make_safe(raw, keys, found_already=[Hidden(*place, "CASE")])
    assert (safe.state, safe.texts) == ("withheld", {1: ""})


def test_what_a_plugin_finds_joins_what_the_core_finds(keys: Keys) -> None:
    raw = redacting.Raw([redacting.Said(1, "customer", f"Case AB and card {CARD} ok")])
    safe = redacting.make_safe(raw, keys, found_already=[Hidden(0, 5, 7, "CASE"), Hidden(0, 17, 22, "CASE")])
    assert safe.texts == {1: "Case [CASE] and card [CARD] ok"}


# --- sound --------------------------------------------------------------------


def test_a_recording_is_heard_only_with_tones_where_something_was_hidden(
    app: Flask, client: FlaskClient, sign_in: SignIn, keys: Keys, tmp_path: Path
) -> None:
    database: Database = app.extensions["candor"].database
    (tmp_path / "call.wav").write_bytes(wav(tone(8), tone(8)))
    storage = LocalStorage(tmp_path / "recordings")
    listed = [{"file": "call.wav", "speakers": ["agent", "customer"]}]
    made = bring(database, keys, tmp_path, tmp_path, recordings=listed)
    with database.transaction() as session:
        row = session.scalars(select(Recording)).one()
        manager = make_user(session, "manager")
    sign_in(client, manager)
    assert client.get(f"/recordings/{row.id}/audio").status_code == 422
    brief = recordings.brief_examiner(storage.folder, keys, database, {"recording_id": row.id})
    assert brief is not None
    assert brief["tones"] == [[1, 2500, 4000, False], [1, 6500, 7000, False]], "a name alone silences no one"
    answer = examine(brief, lambda *_told: None)  # type: ignore[arg-type]
    with database.transaction() as session:
        store_media_result(
            session, SYSTEM, recording_id=row.id, described=answer["described"], broken=None, now=NOW
        )
    with database.reading() as session:
        row = session.get_one(Recording, row.id)
        assert (row.state, row.covered, row.playable_type) == ("ready", brief["tones"], "audio/ogg")
    key = crypto.sub_key(keys.open(row.sealed_key, purpose=RECORDING_KEY), PLAYABLE)
    sealed = SealedFile(storage, str(row.playable_key), key, int(row.playable_bytes or 0))
    rate, (agent, customer) = heard(sealed, int(row.playable_bytes or 0))
    assert [pitch(customer, rate, at) for at in (2.0, 3.0, 5.0, 6.75)] == [440, 1000, 440, 1000]
    assert [pitch(agent, rate, at) for at in (2.0, 3.0, 5.0, 6.75)] == [440] * 4
    with database.transaction() as session:
        session.get_one(Interaction, made).redaction = "withheld"
    assert client.get(f"/recordings/{row.id}/audio").status_code == 422


def heard(sealed: SealedFile, size: int) -> tuple[int, Any]:
    """The playable file as a browser decodes it."""
    with decoded(io.BytesIO(sealed.read(size)), size, name="call.ogg") as (rate, blocks):
        return rate, np.concatenate(list(blocks), axis=1)


def pitch(samples: Any, rate: int, second: float) -> int:
    """The loudest frequency around a moment, to the next twenty."""
    piece = samples[round((second - 0.1) * rate) : round((second + 0.1) * rate)].astype(float)
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece))))
    return round(int(spectrum.argmax()) * rate / len(piece) / 20) * 20


def test_what_was_looked_at_before_more_was_hidden_is_not_played(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    (tmp_path / "call.wav").write_bytes(wav(tone(8), tone(8)))
    bring(database, keys, tmp_path, tmp_path, recordings=[{"file": "call.wav"}])
    with database.transaction() as session:
        row = session.scalars(select(Recording)).one()
        store_media_result(
            session,
            SYSTEM,
            recording_id=row.id,
            described={"covered": None, "duration_ms": 8},
            broken=None,
            now=NOW,
        )
        assert row.state == "waiting"


# --- looking at the original ---------------------------------------------------


def test_only_the_privacy_role_sees_the_original_with_a_reason_and_it_is_logged(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    made = bring(database, keys, tmp_path)
    with database.transaction() as session:
        privacy, manager, admin = (make_user(session, role) for role in ("privacy", "manager", "admin"))
        people = {user: actor_of(user) for user in (privacy, manager, admin)}
    reason = "Access request 2026-114"

    def look(user: User, why: str = reason) -> originals.Original:
        with database.transaction() as session:
            return originals.look_at_original(session, people[user], made, keys=keys, reason=why, now=NOW)

    for nobody in (manager, admin):
        with pytest.raises((NotFound, Forbidden)):
            look(nobody)
    with pytest.raises(Invalid):
        look(privacy, "  why  ")
    seen = look(privacy)
    assert [words for _, words in seen.turns][1] == f"Card {CARD} please"
    assert seen.subject == f"Refund to {CARD}"
    with database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "recording:unredacted")).one()
    assert (entry.actor_id, entry.object_id, entry.reason) == (privacy.id, str(made), reason)


def test_the_page_of_the_original_asks_for_the_reason_first(
    app: Flask, client: FlaskClient, sign_in: SignIn, keys: Keys, tmp_path: Path
) -> None:
    database: Database = app.extensions["candor"].database
    made = bring(database, keys, tmp_path)
    with database.transaction() as session:
        privacy, manager = make_user(session, "privacy"), make_user(session, "manager", name="Ilse")
    sign_in(client, manager)
    assert "Look at the original" not in client.get(f"/interactions/{made}").get_data(as_text=True)
    assert client.get(f"/interactions/{made}/original").status_code == 403
    sign_in(client, privacy)
    page = client.get(f"/interactions/{made}").get_data(as_text=True)
    assert "Look at the original" in page
    assert "which card" not in page, "the privacy role reads no transcripts without a reason"
    asked = client.get(f"/interactions/{made}/original").get_data(as_text=True)
    assert CARD not in asked
    token = re.search(r'name="csrf_token" value="([^"]+)"', asked)
    assert token
    sent = {"csrf_token": token[1], "once": "k" * 32, "reason": ""}
    refused = client.post(f"/interactions/{made}/original", data=sent)
    assert refused.status_code == 422
    answer = client.post(
        f"/interactions/{made}/original", data={**sent, "once": "m" * 32, "reason": "Access request 114"}
    )
    assert answer.status_code == 200
    assert CARD in answer.get_data(as_text=True)


# --- names and the site's own patterns ------------------------------------------


@pytest.mark.parametrize(
    ("name", "said", "found"),
    [
        ("Lena Berger", "Hello lena berger, and Ms Berger", ["lena berger", "Berger"]),
        ("Lena Berger", "Bergers are no berger", []),
        ("Jo Li", "Jo Li, jo li", ["Jo Li", "jo li"]),
        ("O'Neil", "Mr O'Neil", ["O'Neil"]),
        ("", "Nobody", []),
    ],
)
def test_a_customers_name_is_found_whole_in_any_case_and_in_part_as_a_name(
    name: str, said: str, found: list[str]
) -> None:
    finders = name_finders([name])
    assert [said[a:b] for _, find in finders for a, b in find(said)] == found


@pytest.mark.parametrize(
    ("pattern", "said", "found"),
    [
        ("CONTRACT: HM-######", "It is hm-123456, not HM-1234567", ["hm-123456"]),
        ("PLATE: @@ ## @@", "ab 12 cd", ["ab 12 cd"]),
    ],
)
def test_a_sites_own_pattern_is_plain_text_with_digits_and_letters(
    pattern: str, said: str, found: list[str]
) -> None:
    _, find = finder_of(pattern)
    assert [said[a:b] for a, b in find(said)] == found


@pytest.mark.parametrize("pattern", ["HM-######", "contract: HM", "X: HM-#", "CONTRACT: ##", ""])
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        finder_of(pattern)
