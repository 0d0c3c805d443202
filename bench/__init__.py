"""Speed: both sides of each comparison run in one go."""
