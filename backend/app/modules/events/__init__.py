"""What happened: the event timelines of everything in a workspace."""
