"""Weak supervision: rules vote, a label model weighs their votes, its probabilities train a head."""
