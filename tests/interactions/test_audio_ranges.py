"""The sound of a recording by ranges: each gives the plain file's bytes and opens only its own chunks."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from qa.accounts.models import User
from qa.core.actor import SYSTEM
from qa.core.audit import AuditEntry
from qa.core.crypto import CHUNK_BYTES, SEALED_CHUNK_BYTES
from qa.core.storage import LocalStorage, store_sealed
from qa.interactions import service
from qa.interactions.models import RECORDING_KEY
from qa.web.ranges import etag_of, span_asked
from tests.factories import NOW, make_interaction, make_team, make_user

SIZE = 5 * CHUNK_BYTES + 777
PLAIN = bytes(place * 7 % 251 for place in range(SIZE))
BIG = "9" * 5_000


class Watched(LocalStorage):
    """The local folder, and how many sealed bytes were read of it."""

    read = 0

    def open(self, key: str, start: int, length: int) -> BinaryIO:
        self.read += length
        return super().open(key, start, length)


@pytest.fixture
def storage(app: Flask) -> Watched:
    site = app.extensions["candor"]
    site.storage = Watched(site.settings.recordings_path)
    watched: Watched = site.storage
    return watched


@pytest.fixture
def url(
    app: Flask, storage: Watched, client: FlaskClient, sign_in: Callable[[FlaskClient, User], None]
) -> str:
    """The address of a recording whose agent is signed in."""
    site = app.extensions["candor"]
    stored = store_sealed(storage, io.BytesIO(PLAIN))
    with site.database.transaction() as session:
        agent = make_user(session, "agent", team=make_team(session))
        row: Any = service.attach_recording(
            session,
            SYSTEM,
            interaction_id=make_interaction(session, agent).id,
            stored=stored,
            sealed_key=site.keys.seal(stored.content_key, purpose=RECORDING_KEY),
            name="call.wav",
            speakers=[],
            now=NOW,
        )
        row.state, row.media_type = "ready", "audio/wav"
    sign_in(client, agent)
    return f"/recordings/{row.id}/audio"


PARTS = {
    "bytes=0-0": (0, 1),
    "bytes=5-9": (5, 10),
    "Bytes=5-9": (5, 10),
    "bytes= 5 - 9 ": (5, 10),
    f"bytes={CHUNK_BYTES}-": (CHUNK_BYTES, SIZE),
    f"bytes={CHUNK_BYTES - 1}-{CHUNK_BYTES}": (CHUNK_BYTES - 1, CHUNK_BYTES + 1),
    f"bytes=10-{'9' * 30}": (10, SIZE),
    "bytes=-1": (SIZE - 1, SIZE),
    f"bytes=-{'9' * 30}": (0, SIZE),
    f"bytes={SIZE - 1}-{SIZE}": (SIZE - 1, SIZE),
}


@pytest.mark.parametrize("asked", PARTS)
def test_a_part_is_answered_with_its_bytes_and_its_place(client: FlaskClient, url: str, asked: str) -> None:
    start, end = PARTS[asked]
    answer = client.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.mimetype) == (206, "audio/wav")
    assert answer.data == PLAIN[start:end]
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize(
    "asked",
    ["", "x", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "bytes=5", "lines=0-5", "bytes=0x1-2",
     "bytes=0-1,5-6", "bytes=\xb2-\xb3", "bytes=+1-2", "bytes=--5", f"bytes={BIG}-", "bytes=1_0-2_0"],
)  # fmt: skip
def test_a_range_that_cannot_be_read_or_served_gives_the_whole_file(
    client: FlaskClient, url: str, asked: str
) -> None:
    answer = client.get(url, headers={"Range": asked})
    assert (answer.status_code, "Content-Range" in answer.headers) == (200, False)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.data == PLAIN


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 9}", f"bytes={'9' * 30}-"])
def test_a_range_outside_the_file_is_refused_with_the_files_length(
    client: FlaskClient, url: str, asked: str
) -> None:
    answer = client.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.headers["Content-Range"], answer.data) == (416, f"bytes */{SIZE}", b"")


def test_if_range_keeps_the_parts_of_two_versions_apart(client: FlaskClient, url: str) -> None:
    etag = client.get(url).headers["ETag"]

    def status(condition: str) -> int:
        return client.get(url, headers={"Range": "bytes=0-3", "If-Range": condition}).status_code

    assert status(etag) == 206
    others = ('"another"', f"W/{etag}", "Mon, 16 Mar 2026 09:30:00 GMT", "rubbish", etag.strip('"'))
    assert {status(other) for other in others} == {200}


def test_the_tag_tells_nothing_of_where_the_file_lies(
    client: FlaskClient, url: str, storage: Watched
) -> None:
    [entry] = storage.entries()
    assert entry.key not in client.get(url).headers["ETag"]


def test_asking_for_the_head_sends_no_sound_and_opens_nothing_more_than_a_chunk(
    client: FlaskClient, url: str
) -> None:
    answer = client.head(url)
    assert (answer.status_code, answer.headers["Content-Length"], answer.data) == (200, str(SIZE), b"")


@given(start=st.integers(0, SIZE - 1), length=st.integers(1, SIZE))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_range_of_a_sealed_recording_is_the_plain_files_and_opens_only_its_chunks(
    client: FlaskClient, url: str, storage: Watched, start: int, length: int
) -> None:
    storage.read = 0
    answer = client.get(url, headers={"Range": f"bytes={start}-{start + length - 1}"})
    assert answer.data == PLAIN[start : start + length]
    end = min(SIZE, start + length)
    chunks = (end - 1) // CHUNK_BYTES - start // CHUNK_BYTES + 1
    assert storage.read == chunks * SEALED_CHUNK_BYTES


@given(st.one_of(st.text(max_size=40), st.from_regex(r"bytes=[0-9]{0,30}-[0-9]{0,30}", fullmatch=True)))
def test_whatever_is_asked_is_a_part_the_whole_or_refused(asked: str) -> None:
    span = span_asked(asked, None, etag=etag_of("k"), size=SIZE)
    assert span is None or 0 <= span.start < span.end <= SIZE
    assert span is None or span.part or (span.start, span.end) == (0, SIZE)


def test_listening_is_logged_once_whichever_part_is_asked_for_first(
    client: FlaskClient, url: str, app: Flask
) -> None:
    for asked in ("bytes=100-200", "bytes=0-99", "bytes=201-300"):
        client.get(url, headers={"Range": asked})
    with app.extensions["candor"].database.reading() as session:
        rows = select(func.count()).where(AuditEntry.action == "recording:listen")
        assert session.scalar(rows) == 1
