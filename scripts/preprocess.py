"""Taxi pipeline, step 1: raw months in, a prepared folder out (docs/taxi.md)."""

from pathlib import Path

import click

from hpo.cli.script import Script


@click.command(cls=Script)
@click.option("--raw-data-path", type=click.Path(path_type=Path), default="data/green", show_default=True)
@click.option("--dest", type=click.Path(file_okay=False, path_type=Path), default="data/taxi", show_default=True)
@click.option("--train", multiple=True, default=["2023-01"], show_default=True, help="A month, or a .parquet file.")
@click.option("--validation", multiple=True, default=["2023-02"], show_default=True, help="The same.")
@click.option("--test", multiple=True, default=["2023-03"], show_default=True, help="The same; no search sees it.")
@click.option("--rows", type=click.IntRange(min=1), help="At most that many trips of each part, drawn by the seed.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(
    raw_data_path: Path,
    dest: Path,
    train: tuple[str, ...],
    validation: tuple[str, ...],
    test: tuple[str, ...],
    rows: int | None,
    seed: int,
) -> None:
    """Reads green-taxi trips and prepares train, validation and test; options of months may be repeated."""
    from hpo.pipeline.preprocessing import preprocess

    months = {"train": train, "validation": validation, "test": test}
    made = preprocess(raw_data_path, dest, months=months, rows=rows, seed=seed)
    for part, kept in made.kept.items():
        reasons = ", ".join(f"{count} {reason}" for reason, count in made.dropped[part].items() if count)
        click.echo(f"{part}: {kept} of {made.read[part]} trips kept" + (f" ({reasons})" if reasons else ""))
    click.echo(f"prepared {made.folder}: {made.columns} columns, fitted on train")


if __name__ == "__main__":
    main()
