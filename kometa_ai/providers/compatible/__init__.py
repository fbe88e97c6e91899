"""Ask services that speak the Chat Completions API, through the SDK of OpenAI."""
