"""Pure statistics: every number about people is computed here."""
