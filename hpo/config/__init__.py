"""The sweep file: schema, positions of mistakes, messages."""
