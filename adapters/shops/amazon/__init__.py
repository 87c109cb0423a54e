"""Amazon: the Selling Partner API, of sellers who send themselves and of vendors who send for Amazon."""
