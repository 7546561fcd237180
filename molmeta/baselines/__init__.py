"""What every learner is measured against: the same two verbs, nothing meta-learned."""
