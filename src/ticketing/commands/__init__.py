"""The commands that do from the server's command line what the API does, by the same rules; a noun, a file."""
