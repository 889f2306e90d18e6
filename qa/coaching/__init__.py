"""Plans, sessions and training that follow from what evaluations found."""
