"""Libraries of molecules as files: `.csv`, `.smi`, `.sdf`, `.parquet`, plain or compressed."""
