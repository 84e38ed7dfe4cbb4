"""Generated scenarios on chat-history persistence."""
