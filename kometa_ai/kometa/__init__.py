"""Kometa's YAML files: find the comment blocks, bind them to their collections, never write."""
