"""PostgreSQL: connections, statements, migrations, and the embedded server."""
