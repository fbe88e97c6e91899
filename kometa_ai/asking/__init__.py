"""Ask a model: requests, answers, order, retries, budget, batches."""
