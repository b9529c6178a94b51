"""What goes through a person's mailbox: a new password, the proof of an address, and every mail of identity."""
