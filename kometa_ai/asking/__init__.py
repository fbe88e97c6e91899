"""Ask a model: write requests, send them within budget and limits, retry, read answers; at once or in batches."""
