"""Sound files from outside: what they are is found, what is broken is told apart, no other file is read."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa.interactions import media
from qa.interactions.media import BrokenMedia, MediaFacts
from tests.interactions.sounds import bursts, encoded, film, tone, wav


def described(raw: bytes, name: str = "") -> tuple[MediaFacts, dict[str, object]]:
    return media.describe(io.BytesIO(raw), len(raw), name=name)


def refusal(raw: bytes, name: str = "") -> BrokenMedia:
    with pytest.raises(BrokenMedia) as caught:
        described(raw, name)
    return caught.value


PLAYED = {
    "wav": ("wav", "pcm_s16le", 8_000, "audio/wav"),
    "wav 44.1": ("wav", "pcm_s16le", 44_100, "audio/wav"),
    "wav 24 bit": ("wav", "pcm_s24le", 48_000, "audio/wav"),
    "wav 8 bit": ("wav", "pcm_u8", 8_000, "audio/wav"),
    "mp3": ("mp3", "libmp3lame", 16_000, "audio/mpeg"),
    "ogg": ("ogg", "libopus", 48_000, "audio/ogg"),
    "webm": ("webm", "libopus", 48_000, "audio/webm"),
    "flac": ("flac", "flac", 8_000, "audio/flac"),
    "m4a": ("ipod", "aac", 16_000, "audio/mp4"),
    "aac": ("adts", "aac", 16_000, "audio/aac"),
}
NOT_PLAYED = {
    "mu-law": ("wav", "pcm_mulaw", 8_000),
    "a-law": ("wav", "pcm_alaw", 8_000),
    "adpcm": ("wav", "adpcm_ima_wav", 8_000),
    "aiff": ("aiff", "pcm_s16be", 22_050),
    "au": ("au", "pcm_mulaw", 8_000),
}


@pytest.mark.parametrize("kind", PLAYED)
def test_what_browsers_play_is_served_as_it_is(kind: str) -> None:
    container, codec, rate, media_type = PLAYED[kind]
    facts, lanes = described(encoded(container, codec, tone(3, rate=rate), tone(3, rate=rate), rate=rate))
    assert facts.media_type == media_type
    assert (facts.channels, facts.sample_rate, facts.warning) == (2, rate, None)
    assert abs(facts.duration_ms - 3_000) <= 150
    assert lanes["duration_ms"] == facts.duration_ms


@pytest.mark.parametrize("kind", NOT_PLAYED)
def test_what_browsers_do_not_play_becomes_opus_of_the_same_length(kind: str) -> None:
    container, codec, rate = NOT_PLAYED[kind]
    raw = encoded(container, codec, tone(3, rate=rate), rate=rate)
    facts, _ = described(raw)
    assert facts.media_type is None
    made = b"".join(media.transcode(io.BytesIO(raw), len(raw)))
    again, _ = described(made)
    assert (again.codec, again.media_type, again.channels) == ("opus", "audio/ogg", facts.channels)
    assert abs(again.duration_ms - facts.duration_ms) <= 60


def test_transcoding_keeps_the_two_sides_apart() -> None:
    raw = encoded("wav", "pcm_mulaw", bursts([(1, 3)], 8), bursts([(5, 7)], 8))
    made = b"".join(media.transcode(io.BytesIO(raw), len(raw)))
    spoken = described(made)[1]["speech"]
    for (start, end), [span] in zip(((1_000, 3_000), (5_000, 7_000)), spoken, strict=True):  # type: ignore[arg-type]
        assert abs(span[0] - start) <= 200
        assert abs(span[1] - end) <= 200


def test_headerless_telephone_streams_are_known_by_their_ending() -> None:
    gsm = b"".join(
        bytes([0xD0 | (n & 15)]) + bytes([(n * 7 + k) % 256 for k in range(32)]) for n in range(200)
    )
    facts, _ = described(gsm, "call.gsm")
    assert (facts.codec, facts.channels, facts.media_type) == ("gsm", 1, None)
    assert abs(facts.duration_ms - 4_000) <= 100
    g729, _ = described(bytes(range(250)) * 8, "call.G729")
    assert (g729.codec, g729.media_type) == ("g729", None)
    assert b"".join(media.transcode(io.BytesIO(gsm), len(gsm), name="call.gsm")).startswith(b"OggS")


def cut_wav() -> bytes:
    return wav(tone(5), tone(5))[:48_000]


def cut_mp3() -> bytes:
    raw = encoded("mp3", "libmp3lame", tone(20))
    return raw[: len(raw) // 2]


def cut_m4a() -> bytes:
    raw = encoded("ipod", "aac", tone(5))
    return raw[: len(raw) // 2]


def wave_header(seconds: int) -> bytes:
    raw = wav(tone(seconds))
    return raw[: raw.index(b"data") + 8]


def unknown_codec() -> bytes:
    raw = bytearray(wav(tone(2)))
    raw[20:22] = struct.pack("<H", 0x1234)
    return bytes(raw)


def many_channels() -> bytes:
    return encoded("wav", "pcm_s16le", *[tone(1)] * 5)


BROKEN: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "no bytes": (lambda: b"", "empty", "The recording is empty (0 bytes)."),
    "a text": (
        lambda: b"Dear customer, thank you for calling.\n" * 50,
        "not_audio",
        "This is not an audio file",
    ),
    "random bytes": (
        lambda: np.random.default_rng(1).bytes(50_000),
        "not_audio",
        "This is not an audio file",
    ),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(500), "not_audio", "This is not an audio file"),
    "a web page": (lambda: b"<!doctype html><html><body>503</body></html>", "not_audio", "not an audio file"),
    "an unknown codec": (unknown_codec, "codec", "in a way that cannot be decoded here"),
    "five channels": (
        many_channels,
        "channels",
        "5 channels; say which is the agent and which the customer.",
    ),
    "a header only": (lambda: wave_header(2), "silent", "The recording holds no sound."),
    "half a header": (lambda: wav(tone(2))[:30], "truncated", "breaks off before its first sound"),
    "a cut m4a": (cut_m4a, "truncated", "breaks off before its first sound"),
    "a silent film": (lambda: film(with_sound=False), "no_track", "The file has no audio track."),
    "too short": (lambda: wav(tone(0.05)), "silent", "The recording holds no sound."),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_sound_is_told_apart_in_one_sentence(kind: str) -> None:
    make, reason, sentence = BROKEN[kind]
    found = refusal(make(), "call.mp3")
    assert found.reason == reason
    assert sentence in str(found)
    assert str(found).count("\n") == 0


@pytest.mark.parametrize(("make", "words"), [(cut_wav, "1.5 of 5.0 s"), (cut_mp3, "of 20.0 s")])
def test_a_file_that_ends_early_is_heard_and_says_so(make: Callable[[], bytes], words: str) -> None:
    facts, _ = described(make())
    assert facts.warning is not None
    assert facts.warning.startswith("The file ends early: ")
    assert words in facts.warning


def test_a_streamed_wav_of_unknown_length_promises_nothing() -> None:
    for size in (0, 0xFFFFFFFF):
        raw = bytearray(wav(tone(3)))
        place = raw.index(b"data") + 4
        raw[place : place + 4] = struct.pack("<I", size)
        facts, _ = described(bytes(raw))
        assert (facts.warning, facts.duration_ms) == (None, 3_000)


def test_damaged_packets_are_left_out_and_said() -> None:
    raw = bytearray(encoded("adts", "aac", bursts([(0, 20)], 20)))
    for place in range(3_000, len(raw), 6_000):
        raw[place : place + 300] = bytes(300)
    facts, _ = described(bytes(raw))
    assert facts.warning is not None
    assert 5_000 < facts.duration_ms <= 21_000


def test_the_sound_of_a_film_is_taken_and_made_playable() -> None:
    facts, _ = described(film(with_sound=True))
    assert facts.media_type is None
    assert abs(facts.duration_ms - 1_000) <= 60


def test_longer_than_twelve_hours_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MAX_HOURS", 0.001)
    assert refusal(wav(tone(5))).reason == "too_long"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A real wave file that a playlist would like to have played."""
    file = tmp_path / "secret.wav"
    file.write_bytes(wav(tone(2)))
    return file


PLAYLISTS = [
    "ffconcat version 1.0\nfile '{path}'\n",
    "ffconcat version 1.0\nfile {path}\nduration 2\n",
    "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{path}\n#EXT-X-ENDLIST\n",
    "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:{port}/x.wav\n#EXT-X-ENDLIST\n",
    "[playlist]\nFile1={path}\nNumberOfEntries=1\n",
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
    '<?xml version="1.0"?><MPD type="static"><Period><BaseURL>file://{path}</BaseURL></Period></MPD>',
]


@pytest.mark.parametrize("playlist", PLAYLISTS)
@pytest.mark.parametrize("name", ["call.wav", "call.m3u8", "call.g729x"])
def test_a_playlist_named_like_a_recording_reads_no_other_file(
    playlist: str, name: str, secret: Path
) -> None:
    before = os.stat(secret).st_atime_ns
    found = refusal(playlist.format(path=secret, port=9).encode(), name)
    assert found.reason == "not_audio"
    assert os.stat(secret).st_atime_ns == before


def test_only_listed_containers_and_codecs_exist_for_us() -> None:
    assert not {"hls", "concat", "concatf", "dash", "sdp", "rtsp", "image2", "lavfi", "tee"} & media.FORMATS
    assert not {"h264", "hevc", "vp9", "av1", "mjpeg", "png", "gif"} & media.CODECS


@given(st.binary(max_size=4_000))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_either_heard_or_refused_in_words(raw: bytes) -> None:
    try:
        facts, _ = described(raw, "call.wav")
    except BrokenMedia:
        return
    assert facts.duration_ms >= media.LEAST_MS


GOOD = {kind: encoded(PLAYED[kind][0], PLAYED[kind][1], tone(1, rate=PLAYED[kind][2]), rate=PLAYED[kind][2])
        for kind in ("wav", "mp3", "ogg", "flac", "m4a", "webm")}  # fmt: skip


@given(st.sampled_from(sorted(GOOD)), st.data())
@settings(deadline=None, max_examples=150)
def test_a_good_file_with_damage_anywhere_is_either_heard_or_refused_in_words(
    kind: str, data: st.DataObject
) -> None:
    raw = bytearray(GOOD[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(raw)))
    with contextlib.suppress(BrokenMedia):
        described(bytes(raw[:cut]))


def test_peaks_are_twenty_a_second_for_each_channel_and_follow_the_loudness() -> None:
    quiet_then_loud = np.concatenate([tone(1, loud=0.1), tone(1, loud=0.8)])
    _, lanes = described(wav(quiet_then_loud, tone(2, loud=0.0)))
    first, second = (base64.b64decode(lane) for lane in lanes["channels"])  # type: ignore[attr-defined]
    assert (lanes["per_second"], len(first), len(second)) == (20, 40, 40)
    assert max(first[:20]) == pytest.approx(12, abs=1)
    assert max(first[20:]) == pytest.approx(101, abs=2)
    assert set(second) == {0}
    assert all(0 <= peak <= 127 for peak in first)


def test_silences_and_overlaps_come_from_the_sound_of_both_sides() -> None:
    agent = bursts([(1, 4), (9, 12)], 20)
    customer = bursts([(3, 5), (12.5, 15)], 20)
    lanes = described(wav(agent, customer))[1]
    assert lanes["two_sided"] is True
    for found, expected in (
        (lanes["silences"], [(5_000, 9_000), (15_000, 20_000)]),
        (lanes["overlaps"], [(3_000, 4_000)]),
    ):
        for span, wanted in zip(found, expected, strict=True):  # type: ignore[call-overload]
            assert span == pytest.approx(wanted, abs=220)


@pytest.mark.parametrize("other", ["the same", "unused"])
def test_mono_in_disguise_shows_no_overlaps(other: str) -> None:
    one = bursts([(1, 4), (6, 8)], 10)
    second = (one * 0.5).astype(np.int16) if other == "the same" else np.zeros_like(one)
    lanes = described(wav(one, second))[1]
    assert (lanes["two_sided"], lanes["overlaps"]) == (False, [])


def test_a_gap_in_time_becomes_silence_of_that_length() -> None:
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as made:
        stream = made.add_stream("pcm_s16le", rate=8_000)
        stream.codec_context.layout = "mono"  # type: ignore[attr-defined]
        for start in (0, 80_000):
            frame = av.AudioFrame.from_ndarray(tone(1)[None, :], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8_000, start
            made.mux(stream.encode(frame))  # type: ignore[attr-defined]
    facts, _ = described(target.getvalue())
    assert facts.duration_ms == pytest.approx(11_000, abs=30)


class Hour(io.RawIOBase):
    """An hour of a tone as a wave file, made while it is read."""

    def __init__(self) -> None:
        self._second = tone(1, loud=0.2).tobytes()
        self._head = wave_header(1)[:-4] + struct.pack("<I", 3_600 * len(self._second))
        self.size = len(self._head) + 3_600 * len(self._second)
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = offset + (0, self._place, self.size)[whence]
        return self._place

    def read(self, size: int = -1) -> bytes:
        if self._place < len(self._head):
            piece = self._head[self._place : self._place + size]
        else:
            inside = (self._place - len(self._head)) % len(self._second)
            piece = self._second[inside : inside + min(size, self.size - self._place)]
        self._place += len(piece)
        return piece


def test_an_hour_is_described_in_bounded_memory() -> None:
    source = Hour()
    tracemalloc.start()
    facts, _ = media.describe(source, source.size)  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert facts.duration_ms == 3_600_000
    assert facts.warning is None
    assert peak < 16_000_000
