"""Pages that put facts together: an agent's, a team's, the centre's."""
