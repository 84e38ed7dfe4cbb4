"""The rules on chat-history persistence."""
