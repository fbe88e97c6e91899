"""Ask Ollama through its own API: questions, the length of the context, failures."""
