"""Forms that judge: scorecard versions, YAML, lint and the scoring arithmetic."""
