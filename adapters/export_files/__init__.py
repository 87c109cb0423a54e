"""A folder of exported tables: files of rows, and a manifest that says up to where they go. It needs no service."""
