"""Images: packed into shards of raw bytes, read ahead batch by batch, varied on the device."""
