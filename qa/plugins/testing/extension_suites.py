"""Suites for extensions other than connectors: one line in your tests, as for connectors.

class TestTopics(EnricherSuite, extension=Topics): ...
"""

from __future__ import annotations

import unittest
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from qa.plugins.api import Extension, LocalFile, QuestionView, Transcript
from qa.plugins.testing import extension_checks
from qa.plugins.testing.child import BROKEN, NOT_NEEDED, Result, run_check
from qa.plugins.testing.extension_bench import ExtensionBench
from qa.plugins.testing.laws import Check
from qa.plugins.testing.twin import Twin
from qa.plugins.testing.watch import Watch


class ExtensionSuite:
    """Base of the suites. ``config`` and ``secrets`` are the plugin's settings, ``twin`` its far side.

    ``transcript``, ``audio`` and ``question`` replace the kit's own samples, ``target`` is where a message
    goes, ``finds`` maps texts to the label a redactor must find in them.
    """

    CHECKS: ClassVar[Sequence[Check]] = ()

    extension: ClassVar[type[Extension]]
    twin: ClassVar[type[Twin] | None] = None
    config: ClassVar[Mapping[str, Any]] = {}
    secrets: ClassVar[Mapping[str, str]] = {}
    transcript: ClassVar[Transcript | None] = None
    audio: ClassVar[LocalFile | None] = None
    question: ClassVar[QuestionView | None] = None
    target: ClassVar[str] = ""
    finds: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(
        cls, *, extension: type[Extension] | None = None, twin: type[Twin] | None = None, **others: Any
    ) -> None:
        super().__init_subclass__(**others)
        if extension is not None:
            cls.extension = extension
        if twin is not None:
            cls.twin = twin

    @classmethod
    def results(cls, only: Sequence[str] = ()) -> Iterator[Result]:
        """Run the checks and yield what came of each."""
        for check in cls.CHECKS:
            if not only or check.name in only or check.number in only:
                yield run_check(check, partial(cls._work, check))

    @classmethod
    def _work(cls, check: Check, watch: Watch) -> None:
        check.run(ExtensionBench(cls.extension, cls, watch))

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Make a test of each check."""
        if "check" in metafunc.fixturenames:
            metafunc.parametrize("check", self.CHECKS, ids=lambda check: check.name)

    def test_check(self, check: Check) -> None:
        """Run one check; the failure names the rule, the line and the cure."""
        __tracebackhide__ = True
        (result,) = self.results(only=(check.name,))
        if result.verdict == NOT_NEEDED:
            raise unittest.SkipTest(result.message)
        if result.verdict == BROKEN:
            raise AssertionError(result.message)


class TranscriberSuite(ExtensionSuite):
    """For an engine that turns sound into text."""

    CHECKS = extension_checks.TRANSCRIBER


class EnricherSuite(ExtensionSuite):
    """For what finds facts in conversations."""

    CHECKS = extension_checks.ENRICHER


class AutoScorerSuite(ExtensionSuite):
    """For what suggests answers."""

    CHECKS = extension_checks.AUTOSCORER


class RedactorSuite(ExtensionSuite):
    """For what finds text to hide."""

    CHECKS = extension_checks.REDACTOR


class NotifierSuite(ExtensionSuite):
    """For what sends messages."""

    CHECKS = extension_checks.NOTIFIER


class ExporterSuite(ExtensionSuite):
    """For what takes tables out."""

    CHECKS = extension_checks.EXPORTER


class TrainingProviderSuite(ExtensionSuite):
    """For a library of trainings."""

    CHECKS = extension_checks.TRAINING_PROVIDER


class ScorecardImporterSuite(ExtensionSuite):
    """For what reads other products' scorecards."""

    CHECKS = extension_checks.SCORECARD_IMPORTER


class PanelSuite(ExtensionSuite):
    """For boxes on pages."""

    CHECKS = extension_checks.PANEL
