"""A process of the service: its log, its folders, and whether it is well."""
