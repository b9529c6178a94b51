"""What looks unlike itself: each endpoint judged against its own history."""
