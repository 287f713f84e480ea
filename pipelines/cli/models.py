"""The commands `forecaster models ...`."""

import typer

from pipelines.cli.options import Name, mendable

app = typer.Typer(help="Registered models: list, show the champion, promote, roll back.", no_args_is_help=True)


@app.command("list")
@mendable()
def list_models(name: Name = "forecaster") -> None:
    """Every version, the champion marked by *."""
    from pipelines.registry.versions import versions

    for one in versions(name):
        scores = "  ".join(f"{metric} {value:.4f}" for metric, value in one.metrics.items())
        print(f"{'*' if one.champion else ' '} {one.version:>4}  {one.created}  {scores}")


@app.command()
@mendable()
def champion(name: Name = "forecaster") -> None:
    """The champion, and who promoted it, when and why."""
    from pipelines.registry.promotion import latest

    one = latest(name)
    measure = f"{one.metric} {one.value:.4f}, " if one.metric else ""
    print(f"version {one.version} of {name}, promoted by {one.by} at {one.at}: {measure}{one.reason}")


@app.command()
@mendable()
def history(name: Name = "forecaster") -> None:
    """Every promotion: who made which version the champion, when and why."""
    from pipelines.registry.promotion import history as promotions

    for one in promotions(name):
        measure = f"{one.metric} {one.value:.4f}, " if one.metric else ""
        print(f"{one.version:>4}  {one.at}  {one.by}  {measure}{one.reason}")


@app.command()
@mendable()
def promote(version: str, name: Name = "forecaster", reason: str = "by hand") -> None:
    """Make a version the champion."""
    from pipelines.registry.promotion import promote as promote_version

    promote_version(name, version, reason=reason)
    print(f"version {version} of {name} is the champion")


@app.command()
@mendable()
def rollback(name: Name = "forecaster") -> None:
    """Go back to the champion before."""
    from pipelines.registry.promotion import rollback as roll_back

    print(f"version {roll_back(name)} of {name} is the champion again")
