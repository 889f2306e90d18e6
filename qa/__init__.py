"""Candor: quality assurance and coaching for contact centres."""
