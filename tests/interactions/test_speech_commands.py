"""``qa speech`` and ``qa redact`` as other people run them: JSON out, or one sentence and exit 2."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa import cli
from qa.interactions import served_commands
from tests.interactions import sounds
from tests.interactions.calls import say

CALL = {
    "duration": 20,
    "holds": [],
    "segments": [
        say("agent", 0, 2, "Thank you for calling.", channel=0),
        say("customer", 3, 6, "It is 5500 0000 0000 0004.", channel=1),
    ],
}


class Door:
    """Runs the command as main() does and keeps what it told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str, given: bytes | str | dict[str, Any] = b"") -> Any:
        """Return the JSON that was printed."""
        status, out, err = self.run(*words, given=given)
        assert (status, err) == (0, "")
        return json.loads(out)

    def run(self, *words: str, given: bytes | str | dict[str, Any] = b"") -> tuple[int, str, str]:
        """Return exit status, standard output and standard error."""
        raw = json.dumps(given).encode() if isinstance(given, dict) else given
        raw = raw.encode() if isinstance(raw, str) else raw
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
        status = 0
        try:
            cli.main(list(words))
        except SystemExit as ended:
            status = int(ended.code or 0)
        told = self._capsys.readouterr()
        return status, told.out, told.err

    def refuses(self, *words: str, given: bytes | str | dict[str, Any] = b"") -> str:
        """Return the one sentence on standard error; nothing was printed and the status is 2."""
        status, out, err = self.run(*words, given=given)
        assert (status, out, err.count("\n")) == (2, "", 1), (status, out, err)
        return err.strip()


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Door:
    """The command line."""
    return Door(monkeypatch, capsys)


def test_metrics_are_told_from_a_file_and_from_standard_input(door: Door, tmp_path: Path) -> None:
    file = tmp_path / "call.json"
    file.write_text(json.dumps(CALL))
    told = door("speech", "metrics", str(file))
    assert told == door("speech", "metrics", "-", given=CALL)
    assert (told["agent_talk_s"], told["agent_talk_ratio_pct"], told["hold_source"]) == (2, 40, "given")
    assert told["gaps"] == [[2, 3], [6, 20]]
    assert set(told) == {
        *("duration_s", "agent_talk_s", "customer_talk_s", "unknown_talk_s", "speech_s", "overlap_s"),
        *("agent_talk_ratio_pct", "agent_share_of_call_pct", "gaps", "dead_air_s", "dead_air_count"),
        *("dead_air_pct_of_call", "dead_air_pct_excl_hold", "non_talk_s", "speaker_switches"),
        *("interruptions_by_agent", "interruptions_took_floor_by_agent", "longest_monologue_agent_s"),
        *(
            "interruptions_by_customer",
            "interruptions_took_floor_by_customer",
            "longest_monologue_customer_s",
        ),
        *("agent_response_n", "agent_response_median_s", "agent_response_max_s", "words_agent", "wpm_agent"),
        *("customer_response_n", "customer_response_median_s", "customer_response_max_s"),
        *("words_customer", "wpm_customer", "words_unknown", "hold_s", "hold_count", "hold_source"),
        *("segments_ignored", "reason"),
    }


def test_digits_are_told_with_their_places(door: Door) -> None:
    assert door("speech", "digits", "-", given="é five five – 12. Forty\n") == [
        {"digits": "5512", "start": 2, "end": 16},
        {"digits": "40", "start": 18, "end": 23},
    ]
    assert door("speech", "digits", "-") == []


def test_redaction_tells_texts_places_and_sound(door: Door) -> None:
    assert door("redact", "-", given=CALL) == {
        "segments": [{"text": "Thank you for calling."}, {"text": "It is [CARD]."}],
        "spans": [{"segment": 1, "start": 6, "end": 25, "label": "CARD"}],
        "audio": [{"channel": 1, "start": 3, "end": 6}],
    }


BROKEN: list[tuple[bytes | str | dict[str, Any], str]] = [
    (b"", "not valid JSON"),
    (b"\xff\xfe", "not UTF-8"),
    ("[1]", "JSON object"),
    ("{}", '"segments"'),
    ('{"segments": {}}', '"segments"'),
    ('{"segments": [], "segments": []}', '"segments" stands twice'),
    ('{"segments": [], "duration": NaN}', "NaN"),
    ('{"segments": [], "duration": 1e999}', "within a week"),
    ('{"segments": [], "duration": ' + "9" * 5_000 + "}", "too long"),
    ('{"segments": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    ({"segments": [], "duration": -1}, "negative"),
    ({"segments": [], "duration": "20"}, '"duration" must be a number'),
    ({"segments": [], "duration": True}, '"duration" must be a number'),
    ({"segments": [], "holds": 3}, '"holds" must be a list'),
    ({"segments": [], "holds": [[1, 2], [3]]}, "Hold 2"),
    ({"segments": [], "holds": [["a", 2]]}, "Hold 1"),
    ({"segments": [], "truncated": 1}, '"truncated"'),
    ({"segments": [], "language": 5}, '"language"'),
    ({"segments": [7]}, "Segment 1 must be an object"),
    ({"segments": [say("agent", 0, 1, "a"), {"start": 1, "text": ""}]}, 'Segment 2: "end"'),
    ({"segments": [say("boss", 0, 1, "a")]}, 'Segment 1: "speaker" must be agent, customer or unknown'),
    ({"segments": [say("agent", 0, 1, 5)]}, 'Segment 1: "text" must be text'),  # type: ignore[arg-type]
    ('{"segments": [{"start": 0, "end": 1, "text": "\\ud800", "speaker": "agent"}]}', "half of a character"),
    ({"segments": [say("agent", 0, 1, "a\x00")]}, "NUL"),
    ({"segments": [say("agent", 0, 1, "a", channel=-1)]}, '"channel"'),
    ({"segments": [say("agent", 0, 1, "a", conf=2)]}, '"conf"'),
    ({"segments": [say("agent", 0, 1, "a", words={})]}, '"words" must be a list'),
    ({"segments": [say("agent", 0, 1, "a", words=["a"])]}, "Segment 1, word 1"),
    ({"segments": [say("agent", 0, 1, "a", words=[{"word": "a", "start": 0}])]}, 'word 1: "end"'),
]  # fmt: skip


@pytest.mark.parametrize(("given", "words"), BROKEN)
@pytest.mark.parametrize("command", [("speech", "metrics", "-"), ("redact", "-")])
def test_bad_input_is_one_sentence_and_exit_2(
    door: Door, command: tuple[str, ...], given: bytes | str | dict[str, Any], words: str
) -> None:
    assert words in door.refuses(*command, given=given)


def test_a_missing_or_unreadable_file_is_named(door: Door, tmp_path: Path) -> None:
    assert "nowhere.json" in door.refuses("speech", "metrics", "nowhere.json")
    assert str(tmp_path) in door.refuses("redact", str(tmp_path))
    assert "not UTF-8" in door.refuses("speech", "digits", "-", given=b"\xff")


def test_too_large_a_transcript_is_refused(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "larger than 64 MB" in door.refuses("speech", "metrics", "-", given=b" " * 64_000_001)


def test_a_language_redaction_does_not_know_is_withheld(door: Door) -> None:
    assert "Withheld: redaction has not finished" in door.refuses(
        "redact", "-", given=CALL | {"language": "de"}
    )


@pytest.mark.parametrize(
    ("command", "distribution"),
    [
        (("speech", "match", "rules.yaml", "-"), "candor-spacy"),
        (("speech", "transcribe", "call.wav", "--engine", "faster-whisper"), "candor-whisper"),
    ],
)
def test_without_its_plugin_a_command_names_the_distribution(
    door: Door, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], distribution: str
) -> None:
    monkeypatch.setattr(served_commands, "GROUP", "no.such.group")
    assert distribution in door.refuses(*command)


def test_help_names_the_plugins_commands(door: Door) -> None:
    status, told, _ = door.run("speech", "--help")
    assert status == 0
    assert [name for name in ("digits", "match", "metrics", "transcribe") if f"  {name} " in told] == [
        *("digits", "match", "metrics", "transcribe")
    ]


RATE = 16_000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Six seconds of two quiet voices."""
    file = tmp_path / "call.wav"
    one, two = (sounds.tone(6, rate=RATE, loud=0.02, hertz=hertz) for hertz in (200, 300))
    file.write_bytes(sounds.wav(one, two, rate=RATE))
    return file


def samples(file: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    """The channels of a 16-bit WAV file."""
    with sounds.opened(file) as made:
        raw = made.readframes(made.getnframes())
        return np.frombuffer(raw, np.int16).reshape(-1, made.getnchannels()).T


def test_the_recording_gets_a_tone_on_the_speakers_channel_only(
    door: Door, recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "covered.wav"
    door("redact", "-", "--audio", str(recording), "--out", str(out), given=CALL)
    before, after = samples(recording), samples(out)
    assert before.shape == after.shape
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[1, : 3 * RATE], after[1, : 3 * RATE])
    covered = after[1, 3 * RATE :].astype(float)
    loudness = 20 * np.log10(np.sqrt((covered**2).mean()) * np.sqrt(2) / 32_768)
    spectrum = np.abs(np.fft.rfft(covered))
    assert loudness == pytest.approx(-20, abs=0.05)
    assert np.fft.rfftfreq(len(covered), 1 / RATE)[spectrum.argmax()] == pytest.approx(1_000)
    assert (spectrum**2).max() / (spectrum**2).sum() > 0.99


@pytest.mark.parametrize("speaker", ["customer", "unknown"])
def test_where_voices_are_not_apart_every_channel_is_covered(
    door: Door, recording: Path, tmp_path: Path, speaker: str
) -> None:
    out = tmp_path / "covered.wav"
    channel = 0 if speaker == "unknown" else 7
    given = {"segments": [say(speaker, 1, 2, "1234567", channel=channel)]}
    door("redact", "-", "--audio", str(recording), "--out", str(out), given=given)
    after = samples(out)
    assert np.array_equal(after[0, RATE : 2 * RATE], after[1, RATE : 2 * RATE])
    assert np.array_equal(samples(recording)[:, 2 * RATE :], after[:, 2 * RATE :])


def test_any_recording_that_can_be_heard_is_covered(door: Door, tmp_path: Path) -> None:
    for container, codec in (("wav", "pcm_mulaw"), ("ogg", "libopus"), ("flac", "flac")):
        file, out = tmp_path / f"call.{container}", tmp_path / "covered.wav"
        file.write_bytes(sounds.encoded(container, codec, sounds.tone(6)))
        door("redact", "-", "--audio", str(file), "--out", str(out), given=CALL)
        (heard,) = samples(out)
        second = len(heard) // 6
        assert abs(heard[round(0.5 * second) : 2 * second]).max() > 9_000
        assert abs(heard[3 * second + 1 : 6 * second - 1]).max() < 3_300


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The recording is empty (0 bytes)."),
        (b"hello, this is no sound at all" * 9, "This is not an audio file we can read."),
        (sounds.wav(sounds.tone(0.01)), "The recording holds no sound."),
        (sounds.film(with_sound=False), "The file has no audio track."),
        (sounds.wav(*[sounds.tone(1)] * 5), "5 channels; say which is the agent and which the customer."),
    ],
)
def test_what_cannot_be_heard_is_refused_and_leaves_nothing(
    door: Door, tmp_path: Path, content: bytes, sentence: str
) -> None:
    file, out = tmp_path / "call.wav", tmp_path / "covered.wav"
    file.write_bytes(content)
    told = door.refuses("redact", "-", "--audio", str(file), "--out", str(out), given=CALL)
    assert told == f"qa: {sentence}"
    assert list(tmp_path.iterdir()) == [file]


def test_the_two_options_belong_together(door: Door, recording: Path, tmp_path: Path) -> None:
    taken, out = str(recording), str(tmp_path / "out.wav")
    assert "belong together" in door.refuses("redact", "-", "--audio", taken, given=CALL)
    assert "belong together" in door.refuses("redact", "-", "--out", out, given=CALL)
    assert "another file" in door.refuses("redact", "-", "--audio", taken, "--out", taken, given=CALL)
    assert "no such folder" in door.refuses(
        "redact", "-", "--audio", taken, "--out", "/no/where.wav", given=CALL
    )
    assert "no such file" in door.refuses("redact", "-", "--audio", "/no/call.wav", "--out", out, given=CALL)
    no_time = {"segments": [say("agent", 2, 2, "1234567")]}
    assert "segment 1 has no time" in door.refuses(
        "redact", "-", "--audio", taken, "--out", out, given=no_time
    )
    assert list(tmp_path.iterdir()) == [recording]


@pytest.mark.parametrize("command", [["speech", "metrics", "-"], ["speech", "digits", "-"], ["redact", "-"]])
def test_the_doors_load_nothing_heavy(command: list[str]) -> None:
    program = (
        "import sys; from qa import cli; cli.main(sys.argv[1:]);"
        "heavy = {'flask', 'sqlalchemy', 'numpy', 'av', 'httpx', 'scipy'};"
        "print(sorted({module.split('.')[0] for module in sys.modules} & heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        input=json.dumps(CALL),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
