"""Conversations as they happened: calls, chats, e-mails, tickets, recordings and transcripts."""
