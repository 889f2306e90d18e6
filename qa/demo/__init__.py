"""The believable centre: people, conversations and evaluations for a first look, the bench and tests."""
