"""The plugins of this site: which are there and allowed, their settings, secrets, figures, deliveries."""
