"""What changes on the way through the proxy: heads, catalogs, links. Pure: values in, values out."""
