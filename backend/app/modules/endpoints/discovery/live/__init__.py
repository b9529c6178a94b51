"""What strategies that ask a running server share: asking within limits, and telling an answer from the answer to
anything. Only GET, HEAD and OPTIONS are ever sent."""
