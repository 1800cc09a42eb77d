"""What is fetched from providers: orders at the Climate Data Store, NASA's archives, Zarr stores on the web."""
