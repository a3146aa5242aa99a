"""The judge: verifies and marks files that nobody trusts. They run in a child process; the verdict stays here."""
