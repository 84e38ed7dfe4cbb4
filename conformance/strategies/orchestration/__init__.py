"""Generated scenarios on orchestrations."""
