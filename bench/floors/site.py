"""Floor of the web: the least Flask, WTForms, SQLAlchemy Core and Jinja that do the same physical work.

As safe as the product (WAL, ``synchronous=FULL``, write transactions immediate) and on the same
server. It knows nobody: no sign-in, no permission, no rules.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, Response, jsonify, redirect, render_template, request
from sqlalchemy import bindparam, insert, select, tuple_, update
from waitress import serve
from wtforms import Form, RadioField, TextAreaField

from bench.floors.filled import QUESTIONS, WHEN, fill, make_engine
from bench.floors.tables import answer, audit, call, draft, outbox, person, turn, work

OPTIONS, PAGE = 3, 50
SEALED = 65_536


class PlainForm(Form):  # type: ignore[misc]  # WTForms has no types
    """A form such as a page has."""

    choice = RadioField("Choice", choices=[("y", "Yes"), ("n", "No")])
    words = TextAreaField("Words")


class Floor:
    """The pages, over one engine."""

    def __init__(self, engine: Any, folder: Path) -> None:
        self.engine = engine
        self.writing = engine.execution_options(write=True)
        self.key = AESGCM(b"k" * 32)
        self.sealed = folder / "sealed"
        with self.sealed.open("wb") as out:
            for number in range(10):
                out.write(self.key.encrypt(number.to_bytes(12, "big"), os.urandom(SEALED), None))

    def health(self) -> str:
        """Answer."""
        return "ok"

    def page(self) -> str:
        """Show a form."""
        return render_template("page.html", form=PlainForm())

    def open(self, draft_id: int) -> str:
        """Show a conversation beside a form: four reads and one page."""
        with self.engine.connect() as opened:
            opened.execute(select(person).where(person.c.id == 1)).one()
            row = opened.execute(
                select(draft, call.c.subject, person.c.name)
                .join(call, call.c.id == draft.c.call_id)
                .join(person, person.c.id == call.c.agent_id)
                .where(draft.c.id == draft_id)
            ).one()
            given = opened.execute(
                select(answer.c.question, answer.c.value).where(answer.c.draft_id == draft_id)
            )
            values = {question: int(value) for question, value in given}
            turns = opened.execute(
                select(turn).where(turn.c.call_id == row.call_id).order_by(turn.c.position)
            ).all()
        questions, options = range(1, QUESTIONS + 1), range(1, OPTIONS + 1)
        return render_template(
            "open.html", row=row, turns=turns, given=values, questions=questions, options=options
        )

    def save(self, draft_id: int) -> Response:
        """Check the revision, keep one answer, answer with JSON."""
        body = request.get_json()
        with self.writing.begin() as opened:
            seen = opened.execute(select(draft.c.revision).where(draft.c.id == draft_id)).scalar_one()
            assert seen == body["revision"]
            here = (draft.c.id == draft_id, draft.c.revision == seen)
            opened.execute(update(draft).where(*here).values(revision=seen + 1, saved_at=WHEN))
            of = (answer.c.draft_id == draft_id, answer.c.question == body["question"])
            opened.execute(update(answer).where(*of).values(value=body["value"]))
        return jsonify(revision=seen + 1, score="75")

    def submit(self, draft_id: int) -> Any:
        """Keep a result: the answers and the draft, its work, audit and outbox, in one commit."""
        with self.writing.begin() as opened:
            rows = opened.execute(select(answer).where(answer.c.draft_id == draft_id)).all()
            of = (answer.c.draft_id == draft_id, answer.c.question == bindparam("of"))
            opened.execute(
                update(answer).where(*of).values(state="value"), [{"of": row.question} for row in rows]
            )
            parts = [{"ref": row.question, "earned": row.value, "max": "2"} for row in rows]
            result = {"state": "submitted", "score": "75", "breakdown": {"questions": parts}}
            opened.execute(update(draft).where(draft.c.id == draft_id).values(saved_at=WHEN, **result))
            opened.execute(update(work).where(work.c.draft_id == draft_id).values(state="done"))
            opened.execute(insert(audit).values(at=WHEN, action="submit", object_id=draft_id))
            opened.execute(insert(outbox).values(name="Submitted", payload={"id": draft_id}, at=WHEN))
        return redirect(f"/open/{draft_id + 1}", 303)

    def list(self) -> str:
        """Show fifty calls, newest first, from a key on, perhaps of one team."""
        shown = (call.c.id, call.c.subject, call.c.started_at, call.c.duration_ms, call.c.channel)
        rows = select(*shown, person.c.name).join(person, person.c.id == call.c.agent_id)
        if "before" in request.args:
            last = int(request.args["before"])
            key = (WHEN + timedelta(seconds=77 * last), last)
            rows = rows.where(tuple_(call.c.started_at, call.c.id) < key)
        if "team" in request.args:
            rows = rows.where(call.c.team_id == int(request.args["team"]))
        rows = rows.order_by(call.c.started_at.desc(), call.c.id.desc()).limit(PAGE + 1)
        with self.engine.connect() as opened:
            found = opened.execute(rows).all()
        return render_template("list.html", rows=found[:PAGE])

    def long(self) -> str:
        """Show a three-hour call."""
        with self.engine.connect() as opened:
            turns = opened.execute(select(turn).where(turn.c.call_id == 2).order_by(turn.c.position)).all()
        return render_template("long.html", turns=turns)

    def audio(self) -> Response:
        """Stream 256 kB out of five sealed chunks."""

        def pieces() -> Iterator[bytes]:
            with self.sealed.open("rb") as file:
                for number in range(5):
                    plain = self.key.decrypt(number.to_bytes(12, "big"), file.read(SEALED + 16), None)
                    yield plain[32_768 if number == 0 else 0 : 32_768 if number == 4 else SEALED]

        headers = {"Content-Length": str(4 * SEALED), "Content-Range": f"bytes 32768-294911/{10 * SEALED}"}
        return Response(pieces(), 206, headers, mimetype="audio/wav")


def make_app(engine: Any, folder: Path) -> Flask:
    """Return the floor as an app."""
    app, floor = Flask("bench.floors"), Floor(engine, folder)
    app.get("/health")(floor.health)
    app.get("/")(floor.page)
    app.get("/open/<int:draft_id>")(floor.open)
    app.put("/save/<int:draft_id>")(floor.save)
    app.post("/submit/<int:draft_id>")(floor.submit)
    app.get("/list")(floor.list)
    app.get("/long")(floor.long)
    app.get("/audio")(floor.audio)
    return app


def main() -> None:
    """Fill FOLDER with ROWS and serve it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    engine = make_engine(asked.folder / "floor.db")
    if asked.rows:
        fill(engine, asked.rows)
    app = make_app(engine, asked.folder)
    serve(app, host="127.0.0.1", port=asked.port, threads=8, ident=None, _quiet=True)


if __name__ == "__main__":
    main()
