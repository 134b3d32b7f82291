"""A trained network becomes a smaller one, and a report says at what cost."""
