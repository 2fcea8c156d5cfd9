"""tracked-hpo: one YAML file in, a registered, reproducible model out, and every trial on record."""
