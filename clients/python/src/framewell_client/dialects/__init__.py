"""One namespace a dialect: each method is a pure function from its arguments to a request and the way to read what is
answered. No network here."""
