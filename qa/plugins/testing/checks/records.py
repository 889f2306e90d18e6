"""Checks of records: broken ones, strange ones, deleted ones, people who change their name."""

from __future__ import annotations

from collections.abc import Iterator

from qa.plugins.api import AgentRef, Capability
from qa.plugins.page_rules import plain
from qa.plugins.store import AGENTS, Stop
from qa.plugins.testing.bench import Bench, told
from qa.plugins.testing.laws import Broken, Check, NotNeeded
from qa.plugins.testing.twin import Thing

MANY = 23
SHOWN_AFTER = 600  # seconds until a vendor shows a change at the latest


def _whole_run(bench: Bench, words: str) -> None:
    """Run once; nothing may fail, and everything must be kept or in quarantine."""
    outcome = bench.run_once()
    if outcome.stop is Stop.FAILED:
        raise Broken(f"{words}, and the run ended {told(outcome)}.", where=bench.blame())
    bench.run()
    bench.expect_all(f"{words}: afterwards")


def _fresh(bench: Bench) -> tuple[Bench, list[Thing]]:
    made = Bench(bench.kind, bench.twin_kind, bench.watch)
    return made, made.twin.seed(MANY)


def _bad_records(bench: Bench) -> None:
    fresh, things = _fresh(bench)
    fresh.twin.corrupt(things[8], "malformed")
    _spoils(fresh, things[8])
    _whole_run(fresh, f"One conversation of {MANY} has a {fresh.twin_kind.time_field} that is no time")
    fresh, things = _fresh(bench)
    things[8].agent = None
    _whole_run(fresh, "One conversation has no agent")
    if fresh.twin.external_id(things[8]) not in fresh.stored:
        raise Broken("A conversation without an agent was rejected; nobody is an answer, too.")
    fresh, things = _fresh(bench)
    fresh.twin.corrupt(things[8], "unknown")
    _whole_run(fresh, "One conversation has a field nobody knows yet")
    if fresh.twin.external_id(things[8]) not in fresh.stored:
        raise Broken("A conversation with an unknown field was rejected.")


def _spoils(bench: Bench, thing: Thing) -> None:
    try:
        bench.twin.shown([thing])
    except (KeyError, TypeError):
        raise Broken(
            f"show() puts nothing at {bench.twin_kind.time_field!r}.",
            where=bench.twin_kind.__name__,
            cure="Set time_field, agent_field and enum_fields of the twin to where show() puts them.",
        ) from None


c11 = Check(
    "c11_bad_records",
    6,
    "One bad record spoils neither its page nor itself",
    "One of twenty-three conversations is malformed, one has no agent, one has an unknown field. The "
    "malformed one "
    "is in quarantine or kept, all others are kept.",
    "Mapping raises and ends the page; or bad ones are skipped; or a missing agent is not thought of.",
    "Map each record in a try of its own and yield BadRecord(raw, reason, external_id) when it fails.",
    "records = [self.record(raw) for raw in page]",
    "try: … except (KeyError, ValueError) as error: BadRecord(raw, str(error), str(raw['id']))",
    _bad_records,
)


def _tombstones(bench: Bench) -> None:
    if not bench.twin_kind.tells_deletions:
        raise NotNeeded("The twin's vendor does not tell of deletions (tells_deletions).")
    things = bench.twin.seed(MANY)
    bench.run()
    bench.clock.sleep(3600)
    bench.twin.delete(things[4])
    things[9].merged_into = things[10].number
    bench.twin.touch(things[9], things[9].text)
    bench.clock.sleep(SHOWN_AFTER)
    bench.run()
    told_of = {one.external_id: one.change for one in bench.store.events}
    gone, merged = bench.twin.external_id(things[4]), bench.twin.external_id(things[9])
    if told_of.get(gone) != "deleted":
        raise Broken(f"Conversation {gone} was deleted at the vendor, and is still kept as if it were there.")
    if told_of.get(merged) != "merged":
        raise Broken(f"Conversation {merged} was merged into another, and the record does not say so.")


c21 = Check(
    "c21_tombstones",
    2,
    "Deletions and merges arrive",
    "A conversation is deleted and another merged at a vendor that tells of it; both come as tombstones.",
    "Records with a state such as “deleted” are skipped or mapped like any other.",
    "Yield Record(…, deleted=True), with merged_into where there is one.",
    'if ticket["status"] == "deleted": continue',
    'Record(str(ticket["id"]), …, deleted=ticket["status"] == "deleted")',
    _tombstones,
)

STRANGE = {
    "emoji": "👩‍👩‍👧‍👦 said 🙂 and 🇪🇺",
    "right to left": "שלום \u202eback to front\u202c مرحبا",
    "combining marks": "e" + "\u0301" * 100,
    "a megabyte": "long " * 200_000,
    "a formula": '=HYPERLINK("http://evil.example")',
    "markup": "<script>alert(1)</script> & </td>",
    "line ends": "one\r\ntwo\u2028three\x85four",
    "nothing": "",
}
BROKEN_TEXT = {"a NUL character": "a\x00b", "half a character": "half \ud83d of it"}


def _strange_text(bench: Bench) -> None:
    for words, text in (STRANGE | BROKEN_TEXT).items():
        fresh, things = _fresh(bench)
        things[8].text = text
        outcome = fresh.run_once()
        if outcome.stop is Stop.FAILED:
            raise Broken(f"A text holds {words}, and the run ended {told(outcome)}.", where=fresh.blame())
        fresh.run()
        things[8].broken = "text" if words in BROKEN_TEXT else ""
        fresh.expect_all(f"When a text holds {words}")
        _kept_exactly(fresh, things[8], words, text)


def _kept_exactly(bench: Bench, thing: Thing, words: str, text: str) -> None:
    """Raise ``Broken`` when records hold the text of ordinary conversations, but not this one."""
    if words in BROKEN_TEXT or words in ("nothing", "a megabyte"):
        return
    ordinary = bench.twin.things[3 if thing.number != 3 else 4]
    if not _holds(bench, ordinary, ordinary.text):
        return
    if not _holds(bench, thing, text):
        raise Broken(f"A text that holds {words} was changed on its way.")


def _holds(bench: Bench, thing: Thing, text: str) -> bool:
    record = bench.stored.get(bench.twin.external_id(thing))
    return record is not None and any(text in one for one in _texts(plain(record)))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


c25 = Check(
    "c25_strange_text",
    6,
    "Strange text is kept as it is, or set aside whole",
    "Emoji, right-to-left marks, a megabyte, markup and line ends arrive unchanged; NUL and half characters "
    "end in "
    "quarantine at worst, and never stop the run.",
    "Text is encoded, cut in the middle of a character or cleaned by the connector.",
    "Pass text through untouched: the host cleans HTML and refuses what cannot be kept.",
    'subject.encode("ascii", "ignore").decode()',
    "subject",
    _strange_text,
)


def _renamed(bench: Bench) -> None:
    bench.twin.seed(MANY)
    bench.run()
    before = _agent_ids(bench)
    if not any(before.values()) and not bench.has(Capability.AGENTS):
        raise NotNeeded("Records name no agents.")
    bench.clock.sleep(3600)
    bench.twin.agents = {key: f"{name} of the new name" for key, name in bench.twin.agents.items()}
    for thing in bench.twin.things.values():
        bench.twin.touch(thing, thing.text)
    bench.clock.sleep(SHOWN_AFTER)
    bench.run()
    if _agent_ids(bench) != before:
        raise Broken("An agent was renamed, and is another agent now: external_id is made of the name.")
    if bench.has(Capability.AGENTS):
        _renamed_people(bench)


def _agent_ids(bench: Bench) -> dict[str, list[str]]:
    return {key: [one.external_id for one in record.agent_refs] for key, record in bench.stored.items()}


def _renamed_people(bench: Bench) -> None:
    bench.run_once(AGENTS)
    people: dict[str, AgentRef] = bench.store.agents
    known = {one.external_id for record in bench.stored.values() for one in record.agent_refs}
    if known and not known & set(people):
        raise Broken(f"agents() gives the ids {sorted(people)}, records name {sorted(known)}: nobody fits.")


c30 = Check(
    "c30_renamed_agent",
    3,
    "An agent who is renamed stays the same agent",
    "All agents get new names; conversations keep pointing at the same external_id.",
    "AgentRef.external_id is the name or the e-mail address.",
    "Use the vendor's id of the person; name and e-mail have fields of their own.",
    'AgentRef(ticket["agent"]["name"])',
    'AgentRef(str(ticket["agent"]["id"]), email=…, name=…)',
    _renamed,
)


def _unknown_words(bench: Bench) -> None:
    if not bench.twin_kind.enum_fields:
        raise NotNeeded("The twin names no enum_fields.")
    fresh, things = _fresh(bench)
    for thing in things:
        fresh.twin.corrupt(thing, "enum")
    outcome = fresh.run_once()
    if outcome.stop is Stop.FAILED:
        raise Broken(
            f"The vendor uses a new word in {', '.join(bench.twin_kind.enum_fields)}, and the run ended "
            f"{told(outcome)}.",
            where=fresh.blame(),
        )
    fresh.run()
    fresh.expect_all("When the vendor uses a new word in a list of words")


c31 = Check(
    "c31_unknown_words",
    6,
    "A new word in a list of words stops nothing",
    "The vendor adds a state or a channel next year; conversations that have it are still kept.",
    "A dict of all words known today is indexed without a default.",
    "Use .get() with a sensible default, and keep the vendor's word in custom.",
    'CHANNELS[ticket["via"]]',
    'CHANNELS.get(ticket["via"], "ticket")',
    _unknown_words,
)
