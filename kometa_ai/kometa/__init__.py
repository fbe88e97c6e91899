"""Read Kometa's YAML files: find the comment blocks and the collection of each. No file is written."""
