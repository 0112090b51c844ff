"""Tables from data: a VOTable, FITS table, CSV or Parquet becomes a table that queries can use."""
