"""The real engines on the test checkpoint and the sample calls: words, times, speakers, error rate.

They run wherever an engine is installed. ``make test-speech`` installs both and sets QA_SPEECH, and then
nothing here is skipped.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from candor_whisper.transcriber import ONE_CHANNEL, Whisper
from whisper_sounds import DATA, Ctx, Stop, call, encoded, faster_model, wav

from qa.plugins.api import Cancelled, Hints, LocalFile, Segment, Transcript
from qa.plugins.testing import TranscriberSuite

MODULES = {"openai-whisper": "whisper", "faster-whisper": "faster_whisper"}
MUST_RUN = os.environ.get("QA_SPEECH") == "1"

pytestmark = [
    # openai-whisper leaves its own vocabulary file to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed file.*tiktoken:ResourceWarning"),
]


def has(engine: str) -> bool:
    """Tell whether an engine is installed; where it must be, it is asked to load and fails there."""
    return MUST_RUN or find_spec(MODULES[engine]) is not None


ENGINES = [
    pytest.param(
        engine, marks=pytest.mark.skipif(not has(engine), reason=f"{engine} is not installed: make whisper")
    )
    for engine in MODULES
]
needs_faster = pytest.mark.skipif(
    not has("faster-whisper"), reason="faster-whisper is not installed: make whisper"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The calls and the models, unpacked."""
    made = tmp_path_factory.mktemp("whisper")
    faster_model(made)
    for name in ("call_card", "call_refund"):
        call(name, made)
    return made


def config_of(engine: str, folder: Path, **more: Any) -> dict[str, Any]:
    """Settings for the test checkpoint, each region alone."""
    model = DATA / "whisper-test.pt" if engine == "openai-whisper" else folder / "whisper-test-ct2"
    return {"engine": engine, "model": str(model), "chunk_s": 1, "voice_finder": "energy"} | more


def run(file: Path, scratch: Path, config: dict[str, Any], **hints: Any) -> tuple[Transcript, Ctx]:
    """The transcript of a file."""
    ctx = Ctx(scratch, config)
    told = Whisper().transcribe(ctx, LocalFile(str(file), file.name), Hints(**hints))  # type: ignore[arg-type]
    return told, ctx


def words_of(text: str) -> list[str]:
    """Words as error rates count them."""
    return re.findall(r"[a-z0-9']+", text.lower())


def edits(one: list[str], two: list[str]) -> int:
    """Return how many words must be changed."""
    before = list(range(len(two) + 1))
    for row, word in enumerate(one, start=1):
        now = [row]
        for column, other in enumerate(two, start=1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (word != other)))
        before = now
    return before[-1]


KNOWN_ERRORS = {"call_card": (20.2, 24.6), "call_refund": (22.0, 29.2)}
TEMPLATES = {
    "call_card": ("how can i help you today", "technician will arrive", "cannot log in to my account"),
    "call_refund": ("thank you for calling", "charged twice", "third time i am calling"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", sorted(KNOWN_ERRORS))
def test_the_sample_calls_are_heard(engine: str, name: str, folder: Path, tmp_path: Path) -> None:
    truth = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    told, ctx = run(folder / f"{name}.wav", tmp_path, config_of(engine, folder))
    assert (told.language, told.engine, told.truncated, told.notes) == ("en", engine, False, ())
    assert told.duration == pytest.approx(truth["duration"], abs=0.01)
    for channel, speaker in enumerate(("agent", "customer")):
        true = [one for one in truth["segments"] if one["channel"] == channel]
        heard = [one for one in told.segments if one.channel == channel]
        assert {one.speaker for one in heard} == {speaker}
        expected = words_of(" ".join(one["text"] for one in true))
        rate = 100 * edits(expected, words_of(" ".join(one.text for one in heard))) / len(expected)
        assert rate <= KNOWN_ERRORS[name][channel] + 2
        off = sorted(min(abs(one.start - two["start"]) for one in heard) for two in true)
        assert off[len(off) // 2] <= 0.3
    whole = " ".join(one.text.lower() for one in told.segments)
    assert [phrase for phrase in TEMPLATES[name] if phrase not in whole] == []
    for one in told.segments:
        check(one, told)
    assert ctx.told == sorted(ctx.told)
    assert ctx.told[-1][0] == pytest.approx(ctx.told[-1][1])


def check(one: Segment, told: Transcript) -> None:
    """A segment fits its call, and its words fit it."""
    assert told.duration is not None
    assert 0 <= one.start < one.end <= told.duration
    assert one.conf is not None
    assert 0 < one.conf <= 1
    assert len(one.words) == len(re.findall(r"[^\W_]+(?:['’][^\W_]+)*", one.text))
    reached = one.start
    for word in one.words:
        assert reached - 0.001 <= word.start <= word.end <= one.end + 0.001
        reached = word.start


@pytest.mark.parametrize("engine", ENGINES)
def test_a_second_run_asks_no_engine_and_another_setting_does(
    engine: str, folder: Path, tmp_path: Path
) -> None:
    short = folder / "short.wav"
    cut(folder / "call_refund.wav", short, 9.5)
    first, _ = run(short, tmp_path, config_of(engine, folder))
    (steps,) = (tmp_path / "whisper").glob("steps-*.jsonl")
    before = steps.read_bytes()
    again, _ = run(short, tmp_path, config_of(engine, folder))
    assert again == first
    assert steps.read_bytes() == before
    other, _ = run(short, tmp_path, config_of(engine, folder, language="en"))
    assert other.params_hash != first.params_hash
    assert len(list((tmp_path / "whisper").glob("steps-*.jsonl"))) == 2


def cut(source: Path, target: Path, seconds: float) -> None:
    """The beginning of a μ-law WAV file as a shorter, whole one."""
    raw = source.read_bytes()
    start = raw.index(b"data") + 8
    size = round(seconds * 8_000) * 2
    head = bytearray(raw[:start])
    head[4:8] = (len(head) - 8 + size).to_bytes(4, "little")
    head[start - 4 : start] = size.to_bytes(4, "little")
    target.write_bytes(bytes(head) + raw[start : start + size])


@needs_faster
def test_one_channel_has_no_speakers(folder: Path, tmp_path: Path) -> None:
    from candor_whisper.sound import decoded

    sound = decoded(folder / "call_refund.wav", tmp_path / "sound", max_hours=1)
    mono = tmp_path / "mono.wav"
    mono.write_bytes(wav(sound.pcm(0)[: 16_000 * 7]))
    told, _ = run(mono, tmp_path / "mono", config_of("faster-whisper", folder))
    assert {one.speaker for one in told.segments} == {"unknown"}
    assert ONE_CHANNEL in told.notes
    same = tmp_path / "same.flac"
    both = sound.pcm(0)[: 16_000 * 7]
    same.write_bytes(encoded("flac", "flac", both, both))
    disguised, _ = run(same, tmp_path / "same", config_of("faster-whisper", folder))
    assert [one.text for one in disguised.segments] == [one.text for one in told.segments]
    assert {(one.speaker, one.channel) for one in disguised.segments} == {("unknown", 0)}


@needs_faster
def test_what_one_channel_overhears_of_the_other_is_dropped(folder: Path, tmp_path: Path) -> None:
    from candor_whisper.sound import decoded

    sound = decoded(folder / "call_refund.wav", tmp_path / "sound", max_hours=1)
    agent, customer = (sound.pcm(channel).astype("int32") for channel in (0, 1))
    mixed = tmp_path / "bleed.wav"
    mixed.write_bytes(
        wav(agent.astype("int16"), (customer + agent // 8).clip(-32_768, 32_767).astype("int16"))
    )
    told, _ = run(mixed, tmp_path / "work", config_of("faster-whisper", folder, language="en"))
    bled = [one for one in told.dropped if one["reason"] == "bleed"]
    assert {one["channel"] for one in bled} == {1}
    assert len(bled) >= 8


@needs_faster
def test_a_connector_says_who_is_on_which_channel(folder: Path, tmp_path: Path) -> None:
    short = folder / "short2.wav"
    cut(folder / "call_refund.wav", short, 15)
    told, _ = run(
        short, tmp_path, config_of("faster-whisper", folder), speakers=["customer", "agent"], holds=[(1, 2)]
    )
    assert {(one.channel, one.speaker) for one in told.segments} == {(0, "customer"), (1, "agent")}
    assert told.holds == ((1, 2),)
    swapped, _ = run(short, tmp_path, config_of("faster-whisper", folder, agent_channel=1))
    assert {(one.channel, one.speaker) for one in swapped.segments} == {(0, "customer"), (1, "agent")}


@needs_faster
def test_a_cancelled_run_stops_within_one_chunk_and_goes_on_there(folder: Path, tmp_path: Path) -> None:
    file, config = folder / "call_card.wav", config_of("faster-whisper", folder, language="en")
    ctx: Any = Ctx(tmp_path / "a", config, Stop(after=7))
    with pytest.raises(Cancelled):
        Whisper().transcribe(ctx, LocalFile(str(file)), Hints())
    (steps,) = (tmp_path / "a" / "whisper").glob("steps-*.jsonl")
    assert len(steps.read_bytes().splitlines()) == 5
    resumed, _ = run(file, tmp_path / "a", config)
    whole, _ = run(file, tmp_path / "b", config)
    assert resumed == whole
    chunks = [json.dumps(json.loads(line)["chunk"]) for line in steps.read_bytes().splitlines()]
    assert len(chunks) == len(set(chunks))


PROGRAM = """
import sys, json
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from candor_whisper.transcriber import Whisper
from qa.plugins.api import Hints, LocalFile
from whisper_sounds import Ctx
told = Whisper().transcribe(Ctx(Path(sys.argv[2]), json.loads(sys.argv[3])), LocalFile(sys.argv[4]), Hints())
print(json.dumps([[one.start, one.end, one.channel, one.text] for one in told.segments]))
"""


@needs_faster
def test_a_killed_process_does_no_chunk_twice(folder: Path, tmp_path: Path) -> None:
    config = json.dumps(config_of("faster-whisper", folder, threads=1))
    program = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)]
    file = str(folder / "call_card.wav")
    killed = tmp_path / "killed"
    kills = 0
    lines: list[bytes] = []
    while kills < 3:
        process = subprocess.Popen([*program, str(killed), config, file], stdout=subprocess.DEVNULL)
        before = len(lines)
        while process.poll() is None and len(lines) < before + 2:
            lines = [
                line
                for one in (killed / "whisper").glob("steps-*.jsonl")
                for line in one.read_bytes().splitlines()
            ]
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    resumed = subprocess.run([*program, str(killed), config, file], capture_output=True, check=True)
    whole = subprocess.run([*program, str(tmp_path / "whole"), config, file], capture_output=True, check=True)
    assert json.loads(resumed.stdout) == json.loads(whole.stdout)
    (steps,) = (killed / "whisper").glob("steps-*.jsonl")
    told = [json.loads(line) for line in steps.read_bytes().splitlines()]
    chunks = [json.dumps(one["chunk"]) for one in told if "chunk" in one]
    assert len(chunks) == len(set(chunks)) > 10


@needs_faster
def test_a_covered_recording_tells_no_number(folder: Path, tmp_path: Path) -> None:
    truth = json.loads((DATA / "call_card.json").read_text(encoding="utf-8"))
    given = json.dumps({"segments": truth["segments"]})
    recording, covered = folder / "call_card.wav", tmp_path / "covered.wav"
    shown = qa("redact", "-", "--audio", str(recording), "--out", str(covered), given=given)
    assert [one["label"] for one in shown["spans"]] == ["CARD"]
    (where,) = shown["audio"]
    again, _ = run(covered, tmp_path / "covered", config_of("faster-whisper", folder))
    for one in again.segments:
        found = qa("speech", "digits", "-", given=one.text)
        assert [run for run in found if len(run["digits"]) >= 7] == []
        if one.channel == where["channel"] and one.start >= where["start"] and one.end <= where["end"]:
            assert found == []


def qa(*words: str, given: str) -> Any:
    """Run the product's command and return the JSON it prints."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("qa")), *words],
        input=given,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_command_prints_a_transcript(engine: str, folder: Path) -> None:
    short = folder / "short3.wav"
    cut(folder / "call_refund.wav", short, 4)
    model = config_of(engine, folder)["model"]
    told = qa(
        "speech", "transcribe", str(short), "--model", model, "--engine", engine, "--language", "en", given=""
    )
    assert told["engine"] == engine
    assert "thank you for calling" in " ".join(one["text"] for one in told["segments"]).lower()
    assert told["segments"][0]["words"][0]["word"] == "Thank"
    metrics = qa("speech", "metrics", "-", given=json.dumps(told))
    assert metrics["words_unknown"] > 3


@pytest.mark.skipif(not has("openai-whisper"), reason="openai-whisper is not installed: make whisper")
class TestWhisper(TranscriberSuite, extension=Whisper):
    """The kit's own checks."""

    config = {"engine": "openai-whisper", "model": str(DATA / "whisper-test.pt"), "chunk_s": 1}
