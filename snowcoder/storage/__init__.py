"""Objects and shards in S3 or on disk: checked as they are read, and there whole or not at all."""
