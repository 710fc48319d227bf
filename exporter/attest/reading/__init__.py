"""What attestations say, whoever wrote them: read for people and compared, not judged."""
