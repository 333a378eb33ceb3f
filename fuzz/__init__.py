"""iris-fuzz: coverage-guided fuzzing of live Erlang nodes over real connections."""
