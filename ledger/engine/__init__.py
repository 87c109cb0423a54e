"""The serial engine: commands in, facts and outcomes stored. It knows no noun."""
