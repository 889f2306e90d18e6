"""What this plugin registers. Importing this loads neither spaCy nor a lexicon."""

from __future__ import annotations

from wtforms import Form
from wtforms.fields import TextAreaField
from wtforms.validators import Length, ValidationError

from candor_spacy import topics
from candor_spacy.enricher import Words
from candor_spacy.rules import MAX_BYTES, RuleError
from candor_spacy.scorer import Phrases
from qa.plugins.api import PluginInfo, hookimpl


class Settings(Form):
    """The site's own topics."""

    topics = TextAreaField(
        "Topics",
        [Length(max=MAX_BYTES)],
        description="YAML: topics, each with its phrases. Empty: those that come with the plugin.",
    )

    def validate_topics(self, field: TextAreaField) -> None:
        """Refuse topics that cannot be read."""
        try:
            topics.read(field.data or "")
        except RuleError as error:
            raise ValidationError(str(error)) from None


@hookimpl
def qa_plugin_info() -> PluginInfo:
    """Say who this is."""
    return PluginInfo(
        "spacy",
        "0.1.0",
        title="Phrases, topics and customer sentiment",
        description="Reads transcripts offline: phrase rules that suggest answers, topics, wording.",
        settings=Settings,
    )


@hookimpl
def qa_enrichers() -> list[type[Words]]:
    """Register topics and sentiment."""
    return [Words]


@hookimpl
def qa_autoscorers() -> list[type[Phrases]]:
    """Register phrase rules."""
    return [Phrases]
