"""What a picture asks of a device, before anything is computed: pure arithmetic, free of torch."""
