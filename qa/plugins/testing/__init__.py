"""The kit for plugin authors: a vendor in memory, faults on the wire, a clock that costs no time, the checks.

    from qa.plugins.testing import ConnectorSuite

    class TestConnector(ConnectorSuite, connector=Desk, twin=DeskTwin): ...

Public beside ``qa.plugins.api``. What the kit proves is proven with the product's own sync loop and the
product's own HTTP client; only the store and the network are in memory.
"""

from qa.plugins.testing.clock import VirtualClock
from qa.plugins.testing.extension_suites import (
    AutoScorerSuite,
    EnricherSuite,
    ExporterSuite,
    NotifierSuite,
    PanelSuite,
    RedactorSuite,
    ScorecardImporterSuite,
    TrainingProviderSuite,
    TranscriberSuite,
)
from qa.plugins.testing.suite import ConnectorSuite, run_checks
from qa.plugins.testing.twin import Ask, Reply, Thing, Twin

__all__ = [
    "Ask",
    "AutoScorerSuite",
    "ConnectorSuite",
    "EnricherSuite",
    "ExporterSuite",
    "NotifierSuite",
    "PanelSuite",
    "RedactorSuite",
    "Reply",
    "ScorecardImporterSuite",
    "Thing",
    "TrainingProviderSuite",
    "TranscriberSuite",
    "Twin",
    "VirtualClock",
    "run_checks",
]
