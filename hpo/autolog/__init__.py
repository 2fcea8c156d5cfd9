"""What is logged of a fit without being asked for each thing: the estimator, its scores, what it looks at, pictures."""
