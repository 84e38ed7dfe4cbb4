"""Generated scenarios on threads."""
