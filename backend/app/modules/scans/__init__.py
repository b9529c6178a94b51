"""One sweep over a live target, and what it found."""
