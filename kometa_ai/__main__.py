"""Start the program as `python -m kometa_ai`, the same as `kometa-ai`."""

from kometa_ai.cli.entry import main

if __name__ == "__main__":
    main()
