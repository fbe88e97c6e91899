"""Ask Claude through the Anthropic SDK: questions, batches, failures."""
