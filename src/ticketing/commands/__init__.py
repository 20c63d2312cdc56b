"""The commands, a file per noun. They run on the server and follow the API's rules."""
