"""Small servers written from the services' documents, for tests, the demo and development."""
