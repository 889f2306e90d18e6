"""What is heard of a file, where voices are, and what an engine makes up: no engine is needed for this."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from candor_whisper import engines, guards, models
from candor_whisper.commands import fetch
from candor_whisper.engines import RawSegment, RawWord
from candor_whisper.guards import Kept, Piece, guarded, looping, loops, settled_words
from candor_whisper.plugin import Settings, qa_commands, qa_plugin_info, qa_transcribers
from candor_whisper.settings import Choice, choice_of
from candor_whisper.sound import CannotHear, Sound, decoded
from candor_whisper.steps import Steps
from candor_whisper.transcriber import NO_SPEECH, ONE_CHANNEL, Whisper
from candor_whisper.voices import Chunk, chunks_of, is_one_voice, louder_channel, regions_of, settled
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from whisper_sounds import RATE, Ctx, bursts, encoded, film, tone, wav

from qa.plugins.api import ConfigError, Hints, LocalFile


def heard(folder: Path, content: bytes, *, max_hours: float = 4, wanted: list[int] | None = None) -> Sound:
    """The sound of a file with this content."""
    file = folder / "call.bin"
    file.write_bytes(content)
    return decoded(file, folder / "sound", max_hours=max_hours, wanted=wanted)


def header_of(content: bytes) -> bytes:
    """A wave file up to its first sample."""
    return content[: content.index(b"data") + 8]


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("wav", "pcm_u8", 8_000),
        ("wav", "pcm_mulaw", 8_000),
        ("wav", "pcm_s16le", 48_000),
        ("mp3", "libmp3lame", 16_000),
        ("ogg", "libopus", 48_000),
        ("flac", "flac", 44_100),
        ("mp4", "aac", 16_000),
    ],
)
def test_each_usual_format_is_heard_in_full(tmp_path: Path, container: str, codec: str, rate: int) -> None:
    sound = heard(
        tmp_path, encoded(container, codec, tone(2, rate=rate), tone(2, rate=rate, hertz=300), rate=rate)
    )
    assert sound.channels == (0, 1)
    assert sound.seconds == pytest.approx(2, abs=0.15)
    assert (sound.truncated, sound.notes) == (False, ())
    assert len(sound.levels(1)) == pytest.approx(200, abs=15)
    assert abs(sound.slice(0, 0.5, 1)).max() == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The recording is empty (0 bytes)."),
        (b"no sound at all, just a text " * 50, "This is not an audio file we can read."),
        (bytes(range(256)) * 40, "This is not an audio file we can read."),
        (
            b"#EXTM3U\n#EXTINF:10,\nhttp://example.org/a.ts\n#EXT-X-ENDLIST\n",
            "This is not an audio file we can read.",
        ),
        (header_of(wav(tone(1))), "The recording holds no sound."),
        (wav(tone(0.09)), "The recording holds no sound."),
        (film(with_sound=False), "The file has no audio track."),
        (wav(*[tone(1)] * 5), "5 channels; say which is the agent and which the customer."),
    ],
)
def test_what_cannot_be_heard_is_refused_with_its_sentence(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    with pytest.raises(CannotHear) as caught:
        heard(tmp_path, content)
    assert str(caught.value) == sentence


def test_a_film_is_heard_without_its_pictures(tmp_path: Path) -> None:
    assert heard(tmp_path, film(with_sound=True)).seconds == pytest.approx(1, abs=0.05)


def test_two_of_five_channels_are_taken_when_they_are_named(tmp_path: Path) -> None:
    sound = heard(tmp_path, wav(*[tone(1, loud=0.1 * n) for n in range(5)]), wanted=[1, 4])
    assert sound.channels == (1, 4)
    assert abs(sound.slice(4, 0, 1)).max() == pytest.approx(0.4, abs=0.01)
    with pytest.raises(CannotHear, match="there is no channel 7"):
        heard(tmp_path, wav(*[tone(1)] * 5), wanted=[1, 6])


def test_a_wave_file_cut_short_says_how_much_is_missing(tmp_path: Path) -> None:
    whole = wav(tone(4.89))
    sound = heard(tmp_path, whole[: len(header_of(whole)) + round(1.36 * RATE) * 2])
    assert sound.truncated
    assert sound.notes == ("The file ends early: 1.4 of 4.9 s.",)


def test_a_compressed_file_cut_short_says_so(tmp_path: Path) -> None:
    whole = encoded("mp3", "libmp3lame", bursts([(0, 20)], 20))
    assert heard(tmp_path, whole[: len(whole) // 2]).truncated


def test_a_streamed_wave_file_promises_nothing(tmp_path: Path) -> None:
    streamed = bytearray(wav(tone(2)))
    place = streamed.index(b"data") + 4
    streamed[place : place + 4] = b"\xff\xff\xff\xff"
    sound = heard(tmp_path, bytes(streamed))
    assert (sound.truncated, sound.seconds) == (False, pytest.approx(2, abs=0.01))


def test_a_longer_recording_than_allowed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotHear, match=r"^Longer than 0\.001 h\.$"):
        heard(tmp_path, wav(tone(4)), max_hours=0.001)


def test_what_was_decoded_once_is_not_decoded_again(tmp_path: Path) -> None:
    first = heard(tmp_path, wav(tone(1)))
    pcm = tmp_path / "sound" / "0.pcm"
    before = pcm.stat().st_mtime_ns
    assert decoded(tmp_path / "call.bin", tmp_path / "sound", max_hours=4) == first
    assert pcm.stat().st_mtime_ns == before
    assert heard(tmp_path, wav(tone(2))).seconds == 2


SPOKEN = [(1.0, 2.0), (2.2, 3.0), (4.0, 4.1), (6.0, 9.0)]


def test_voices_are_found_joined_padded_and_the_shortest_left_out(tmp_path: Path) -> None:
    sound = heard(tmp_path, wav(bursts(SPOKEN, 12)))
    found = regions_of(sound, 0, "energy")
    assert [pytest.approx(region, abs=0.02) for region in found] == [(0.9, 3.1), (5.9, 9.1)]


def test_silence_has_no_voices(tmp_path: Path) -> None:
    assert regions_of(heard(tmp_path, wav(bursts([], 5))), 0, "energy") == []


REGIONS = [(0.0, 5.0), (6.0, 10.0), (12.0, 20.0), (30.0, 31.0)]
QUIET = np.full(200_00, 0.1, dtype=np.float32)


@pytest.mark.parametrize(
    ("chunk_s", "expected"),
    [
        (28.0, [(0, 20), (30, 31)]),
        (10.0, [(0, 10), (12, 20), (30, 31)]),
        (9.9, [(0, 5), (6, 10), (12, 20), (30, 31)]),
        (1.0, [(0, 5), (6, 10), (12, 20), (30, 31)]),
    ],
)
def test_chunks_are_cut_in_silence_only(chunk_s: float, expected: list[tuple[float, float]]) -> None:
    assert [(one.start, one.end) for one in chunks_of(REGIONS, 0, chunk_s, QUIET)] == expected


def test_what_an_engine_cannot_hear_at_once_is_cut_where_it_is_quietest() -> None:
    levels = QUIET.copy()
    levels[2_500] = 0.01
    found = chunks_of([(0.0, 60.0)], 1, 28.0, levels)
    assert [(one.start, one.end) for one in found] == [(0, 25), (25, 48), (48, 60)]
    assert all(one.end - one.start <= 28 for one in found)


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 4_000)), max_size=20),
    st.sampled_from([1.0, 5.0, 28.0]),
)
def test_chunks_lose_no_speech_and_do_not_overlap(gaps: list[tuple[int, int]], chunk_s: float) -> None:
    found, reached = [], 0
    for pause, length in gaps:
        found.append(((reached + pause) / 100, (reached + pause + length) / 100))
        reached += pause + length
    regions = settled(found, reached / 100)
    chunks = chunks_of(regions, 0, chunk_s, np.zeros(reached + 1, dtype=np.float32))
    assert all(one.end <= two.start + 1e-9 for one, two in pairwise(chunks))
    for start, end in regions:
        spoken = sum(max(min(end, one.end) - max(start, one.start), 0) for one in chunks)
        assert spoken == pytest.approx(end - start)
    assert all(one.end - one.start <= max(chunk_s, 28) + 1e-9 for one in chunks)


def test_two_channels_with_one_sound_are_one_voice(tmp_path: Path) -> None:
    speech, other = bursts(SPOKEN, 12), bursts([(3.2, 3.9), (9.5, 11)], 12, seed=2)
    assert is_one_voice(heard(tmp_path, wav(speech)))
    assert is_one_voice(heard(tmp_path, wav(speech, speech // 2)))
    assert not is_one_voice(heard(tmp_path, wav(speech, other)))
    silent = heard(tmp_path, wav(np.zeros_like(speech), speech))
    assert (is_one_voice(silent), louder_channel(silent)) == (True, 1)


def raw(text: str, start: float = 0, end: float = 2, **more: Any) -> RawSegment:
    """A segment as an engine tells it, its words spread evenly."""
    texts = text.split(" ")
    step = (end - start) / len(texts)
    words = tuple(
        RawWord(f" {one}", start + n * step, start + (n + 1) * step, more.get("conf", 0.9))
        for n, one in enumerate(texts)
    )
    told = {"avg_logprob": -0.2, "no_speech_prob": 0.0, "compression_ratio": 1.0, "temperature": 0.0} | more
    told.pop("conf", None)
    return RawSegment(start, end, text, words=words, **told)


def kept(
    *segments: RawSegment, regions: list[tuple[float, float]] | None = None, looped: bool = False
) -> Kept:
    """What the guards leave of a chunk from 0 to 30 s, all of which is speech."""
    return guarded(segments, regions or [(0, 30)], (0, 30), reached=0, looped=looped)


@pytest.mark.parametrize(
    ("segment", "regions", "reason"),
    [
        (raw("hello there"), [(1.9, 9)], "silence"),
        (raw("hello there"), [(1.8, 9)], None),
        (raw("hello", no_speech_prob=0.7, avg_logprob=-1.1), None, "no_speech"),
        (raw("hello", no_speech_prob=0.7, avg_logprob=-1.0), None, None),
        (raw("hello", no_speech_prob=0.6, avg_logprob=-1.1), None, None),
        (raw("Thanks for watching!", conf=0.49), None, "stock"),
        (raw("Thanks for watching!", conf=0.5), None, None),
        (raw("♪ ♪", conf=0.4), None, "stock"),
        (raw("Thanks for watching the house", conf=0.4), None, None),
        (raw("hello", 31, 33), [(0, 40)], "order"),
    ],
)
def test_what_was_made_up_is_dropped_with_its_reason(
    segment: RawSegment, regions: list[tuple[float, float]] | None, reason: str | None
) -> None:
    found = kept(segment, regions=regions)
    assert [one.reason for one in found.dropped] == ([reason] if reason else [])
    assert len(found.pieces) == (0 if reason else 1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a b c d", None),
        ("no no no", None),
        ("no no no no", (0, 1, 4)),
        ("so I see I see I see I see it", (1, 2, 4)),
        ("a b c d e f " * 4, (0, 6, 4)),
        ("a b c d e f g " * 4, None),
        ("one one one one", None),
        ("one two one two one two one two", None),
        ("4 4 4 4 4", None),
    ],
)
def test_loops_are_found_and_digits_are_none(words: str, expected: tuple[int, int, int] | None) -> None:
    assert looping(words.split()) == expected


def test_a_loop_is_kept_once_and_marked() -> None:
    looped = raw("thank you thank you thank you thank you very much", end=4)
    assert loops([looped])
    assert loops([raw("abc", compression_ratio=2.5)])
    assert not loops([raw("one one", compression_ratio=2.5)])
    (piece,) = kept(looped, looped=True).pieces
    assert (piece.text, piece.flags) == ("thank you very much", ("loop",))
    assert [word.text for word in piece.words] == ["thank", "you", "very", "much"]


def test_too_fast_is_marked_and_trusted_less() -> None:
    (piece,) = kept(raw("a b c d e f g h i", end=1.0)).pieces
    assert (piece.flags, piece.conf) == (("pace",), pytest.approx(0.45))
    (piece,) = kept(raw("a b c d e f g h", end=1.0)).pieces
    assert piece.flags == ()


def test_no_silence_hides_inside_a_segment() -> None:
    words = (RawWord(" Hello,", 0, 1, 0.9), RawWord(" are", 2.01, 2.2, 0.9), RawWord(" you?", 3.2, 3.4, 0.9))
    one = RawSegment(0, 3.4, "Hello, are you?", -0.1, 0, 1, 0, words)
    assert [(piece.text, piece.start, piece.end) for piece in kept(one).pieces] == [
        ("Hello,", 0, 1),
        ("are you?", 2.01, 3.4),
    ]


def test_segments_do_not_overlap_their_predecessors() -> None:
    first, second, third = raw("a b", 0, 4), raw("c d", 3, 6), raw("e", 5, 5.5)
    found = kept(first, second, third)
    assert [(piece.start, piece.end) for piece in found.pieces] == [(0, 4), (4, 6)]
    assert found.pieces[1].words[0].start == 4
    assert [one.reason for one in found.dropped] == ["order"]


def test_confidence_is_the_words_mean_or_comes_from_the_likelihood() -> None:
    words = (RawWord(" a", 0, 1, 0.4), RawWord(" b", 1, 2, 0.8))
    (piece,) = kept(RawSegment(0, 2, "a b", -3, 0, 1, 0, words)).pieces
    assert piece.conf == pytest.approx(0.6)
    (piece,) = kept(RawSegment(0, 2, "a b", -0.5, 0, 1, 0)).pieces
    assert piece.conf == pytest.approx(np.exp(-0.5))


def test_each_word_of_the_text_has_one_entry() -> None:
    words = (
        RawWord(" twenty-one,", 0, 2.2, 0.5),
        RawWord(" –", 2.2, 2.3, 0.1),
        RawWord(" don", 2.3, 2.5, 0.8),
        RawWord("'t", 2.5, 2.6, 0.6),
    )
    found = list(settled_words(RawSegment(0, 3, "twenty-one, – don't", -1, 0, 1, 0, words)))
    assert [(word.text, round(word.start, 2), round(word.end, 2)) for word in found] == [
        ("twenty", 0, 1.2),
        ("one", 1.4, 2),
        ("don't", 2.3, 2.6),
    ]
    assert found[2].conf == pytest.approx(0.7)


def test_finished_chunks_outlive_a_kill_and_half_a_line_does_not(tmp_path: Path) -> None:
    file = tmp_path / "steps.jsonl"
    steps = Steps(file)
    steps.keep_language("en", 0.9)
    piece = Piece(0.5, 1, "é", 0.9, (RawWord("é", 0.5, 1, 0.9),), ("pace",))
    steps.keep(Chunk(0, 0.5, 1.0), Kept([piece], [guards.Dropped(0, 1, "x", "stock")]))
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"chunk": {"chan')
    again = Steps(file)
    assert (again.language, again.done) == (steps.language, steps.done)
    assert file.read_bytes() == whole
    assert again.has(Chunk(0, 0.5, 1.0))
    assert not again.has(Chunk(1, 0.5, 1.0))


def test_settings_have_defaults_and_faults_name_their_field(tmp_path: Path) -> None:
    assert choice_of({}) == Choice()
    assert choice_of({"chunk_s": "1", "threads": "2", "language": ""}) == Choice(chunk_s=1.0, threads=2)
    assert choice_of({"model": str(tmp_path)}).engine == "faster-whisper"
    for config, field in (
        ({"engine": "other"}, "engine"),
        ({"device": "tpu"}, "device"),
        ({"agent_channel": 2}, "agent_channel"),
        ({"chunk_s": 0}, "chunk_s"),
        ({"threads": "many"}, "threads"),
    ):
        with pytest.raises(ConfigError) as caught:
            choice_of(config)
        assert caught.value.field == field


def test_the_fingerprint_follows_what_changes_a_text() -> None:
    mark = Choice().fingerprint(model="x")
    assert mark == Choice(threads=4, model_dir="/else", max_hours=1).fingerprint(model="x")
    assert len({mark, Choice(chunk_s=1).fingerprint(model="x"), Choice().fingerprint(model="y")}) == 3


FETCH = "With network run: qa x whisper fetch"
LIKE = "then copy the file."


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"model": "base"}, f'Model "base" is not in {{folder}}. {FETCH} base; {LIKE}'),
        ({"model": "turbo"}, f'Model "turbo" is not in {{folder}}. {FETCH} turbo; {LIKE}'),
        (
            {"model": "small", "engine": "faster-whisper"},
            f'Model "small" is not in {{folder}}. {FETCH} small --engine faster-whisper; {LIKE}',
        ),
        ({"model": "/no/where.pt"}, "There is no openai-whisper model at /no/where.pt."),
    ],
)
def test_a_missing_model_is_one_sentence_and_no_download(
    tmp_path: Path, config: dict[str, str], sentence: str
) -> None:
    file = tmp_path / "call.wav"
    file.write_bytes(wav(tone(1)))
    ctx: Any = Ctx(tmp_path, config | {"model_dir": str(tmp_path)})
    with pytest.raises(ConfigError) as caught:
        Whisper().transcribe(ctx, LocalFile(str(file)), Hints())
    assert str(caught.value) == sentence.format(folder=tmp_path)


def test_models_lie_where_their_libraries_keep_them(tmp_path: Path) -> None:
    (tmp_path / "large-v3-turbo.pt").write_bytes(b"weights")
    found = models.find(Choice(model="turbo", model_dir=str(tmp_path)))
    assert (found.path, found.sha256[:8]) == (tmp_path / "large-v3-turbo.pt", "9a129038")
    folder = tmp_path / "faster-whisper-base"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"weights")
    with pytest.raises(ConfigError, match=r"is not whole: config\.json is missing"):
        models.find(Choice(model="base", engine="faster-whisper", model_dir=str(tmp_path)))


def test_a_fetched_model_that_is_not_as_published_is_removed(tmp_path: Path) -> None:
    def download(name: str, folder: Path) -> str:
        (folder / f"{name}.pt").write_bytes(b"weights")
        return "0" * 64

    choice = Choice(model="base", model_dir=str(tmp_path))
    with pytest.raises(ConfigError, match="did not arrive as published"):
        models.fetch(choice, download)
    assert list(tmp_path.iterdir()) == []

    def good(name: str, folder: Path) -> str:
        download(name, folder)
        return models.sha256_of(folder / f"{name}.pt")

    assert models.fetch(choice, good) == tmp_path / "base.pt"
    told = CliRunner().invoke(fetch, ["/some/path.pt", "--model-dir", str(tmp_path)])
    assert (told.exit_code, told.output) == (1, "Error: Give a model's name, such as base, not a path.\n")


def test_an_engine_that_is_not_there_says_how_to_get_it() -> None:
    with pytest.raises(ConfigError, match="make whisper"):
        engines.engine_version("no-such-whisper")


def test_silence_needs_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("candor_whisper.transcriber.engine_version", lambda name: "1")
    model, file = tmp_path / "no-model.pt", tmp_path / "call.flac"
    model.write_bytes(b"an engine would choke on this")
    file.write_bytes(encoded("flac", "flac", np.zeros(RATE * 600, dtype=np.int16)))
    ctx: Any = Ctx(tmp_path, {"model": str(model), "voice_finder": "energy"})
    told = Whisper().transcribe(ctx, LocalFile(str(file)), Hints(holds=[(1, 2)]))
    assert (told.segments, told.duration, told.notes) == ((), 600, (ONE_CHANNEL, NO_SPEECH))
    assert told.holds == ((1, 2),)


def test_the_plugin_registers_its_parts() -> None:
    assert (qa_plugin_info().name, qa_transcribers(), qa_commands()) == ("whisper", [Whisper], [fetch])
    assert json.dumps(choice_of(Settings().data).fingerprint())
