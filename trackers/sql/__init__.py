"""MLflow's own database, written and read with SQLAlchemy Core and without MLflow."""
