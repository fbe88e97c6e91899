"""`python -m kometa_ai` is the same program as `kometa-ai`."""

from kometa_ai.cli.entry import main

if __name__ == "__main__":
    main()
