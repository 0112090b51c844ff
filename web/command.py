"""``paws web``: the web server alone."""

from __future__ import annotations

from pathlib import Path

import rich_click as click


@click.command()
@click.option("--host", help="Address to bind.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one.  [default: 8080]")
@click.option("--data", "data_dir", type=click.Path(path_type=Path, file_okay=False), help="Data folder.")
def web(host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Serve the live page, the JSON interface and the status feed.

    Reads PostgreSQL (PAWS_DATABASE_URL) and, for speed, Kafka (PAWS_BROKER_URL).
    """
    from paws.log import configure_logging
    from paws.settings import load_settings
    from web.server import run

    settings = load_settings(web_host=host, web_port=port, data_dir=data_dir)
    configure_logging(settings.log_format, settings.log_level, process="web")
    run(settings)
