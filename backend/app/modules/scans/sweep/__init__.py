"""One sweep as plain values: what it has to do, how its test runs add up, and what they mean. Nothing here talks."""
