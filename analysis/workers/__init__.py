"""The processes that analyze images: a pool of workers, and a device process per GPU."""
